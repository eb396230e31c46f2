import { setTimeout as sleep } from 'node:timers/promises'
import { VmLease } from '../../services/compiler/lease.ts'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Follower } from './follow.ts'
import { everyEvent } from './oracles.ts'
import type { ChaosStack } from './stack.ts'
import type { User, Wish } from './user.ts'

/** After healing: the plan for what was wished is empty, what is recorded stands, and nothing else does. */
export async function floorplanFaults(user: User, wish: Wish, stack: ChaosStack, ledger: Ledger): Promise<string[]> {
  const { deployment } = user
  const owner = `deployment/${deployment}`
  const [vms, disks] = await Promise.all([stack.provider.listVms({ owner }), stack.provider.listDisks({ owner })])
  const { materials } = await ledger.floorplan(deployment)
  const recorded = (type: string, id: (material: (typeof materials)[number]) => string) =>
    materials
      .filter((material) => material.id.startsWith(`${type}/`))
      .map(id)
      .sort()
      .join(' ')
  const faults: string[] = []
  const actual = vms
    .map(({ id }) => id)
    .sort()
    .join(' ')
  const inUse = recorded('vm', ({ id }) => id.slice(3))
  if (actual !== inUse) faults.push(`${deployment}: these VMs stand: ${actual}; these are recorded: ${inUse}`)
  const existing = disks
    .map(({ id }) => id)
    .sort()
    .join(' ')
  const known = recorded('disk', ({ meta }) => String(meta.cid))
  if (existing !== known) faults.push(`${deployment}: these disks exist: ${existing}; these are recorded: ${known}`)
  if (wish === 'gone') return faults
  const instances = await user.ask((client) => client.instances(deployment))
  for (const { instance, state } of instances)
    if (state !== 'running') faults.push(`${deployment}: ${instance} is ${state}`)
  const wanted = (wish.instances ?? 2) + (wish.front ? 1 : 0)
  if (instances.length !== wanted) faults.push(`${deployment} has ${instances.length} instances, wished were ${wanted}`)
  return faults
}

/** Events that were seen and are no longer there, or say something else now. */
export async function forgotten(ledger: Ledger, deployment: string, follower: Follower): Promise<string[]> {
  const now = new Map((await everyEvent(ledger, deployment)).map((event) => [event.seq, JSON.stringify(event)]))
  return (follower.history.get(deployment) ?? [])
    .filter((event) => now.get(event.seq) !== JSON.stringify(event))
    .map((event) => `${deployment}: event ${event.seq} (${event.type}) was seen and is lost`)
}

/** What open plans wait for: for a look into a run that did not converge. */
export async function stuck(ledger: Ledger, names: readonly string[]): Promise<string[]> {
  const lines: string[] = []
  for (const name of names) {
    const lock = await ledger.lock(name)
    if (!lock) continue
    const records = await ledger.remodelRecords(name, lock.plan)
    const open = records.filter(({ state }) => !['done', 'failed', 'skipped', 'blocked'].includes(state))
    lines.push(`${name} is held for ${lock.plan}; open: ${JSON.stringify(open)}`)
  }
  return lines
}

/**
 * Waits until the compilers that live have taken away what dead ones left, which they may once the lease of a dead one
 * is over; at most 20 s, then it is a leak.
 */
export async function sweepDone(stack: ChaosStack, { redis, settings }: Ledger): Promise<void> {
  const leases = new VmLease(redis, settings, 'no-process')
  const living = () => stack.of('compiler').flatMap(({ up, worker }) => (up ? [`compiler/${worker}`] : []))
  for (const until = performance.now() + 20_000; performance.now() < until; await sleep(100)) {
    const owned = (await stack.provider.listVms()).filter(({ ownership }) => ownership.owner.startsWith('compiler/'))
    const over = await Promise.all(owned.map(({ ownership }) => leases.over(ownership.lease ?? '')))
    if (!over.includes(true) && owned.every(({ ownership }) => living().includes(ownership.owner))) return
  }
}
