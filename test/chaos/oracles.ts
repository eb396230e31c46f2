import { createHash } from 'node:crypto'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ledger, LedgerEvent } from '../../shared/ledger/ledger.ts'
import type { Remodel } from '../../shared/model/plan.ts'
import { readEffects } from '../../shared/provider/local/effects.ts'

/** All that a deployment's stream has told, what lies in the blobstore included. */
export async function everyEvent(ledger: Ledger, deployment: string): Promise<LedgerEvent[]> {
  const events: LedgerEvent[] = []
  for (;;) {
    const page = await ledger.events(deployment, events.at(-1)?.seq ?? 0, { limit: 5000 })
    if (page.length === 0) return events
    events.push(...page)
  }
}

/**
 * What the ledger says against itself: gaps, a plan that is done with remodels that are not, a
 * remodel before its needs.
 */
export async function ledgerFaults(ledger: Ledger, deployment: string): Promise<string[]> {
  const events = await everyEvent(ledger, deployment)
  const faults: string[] = []
  for (const [i, event] of events.entries())
    if (event.seq !== i + 1) return [`${deployment}: event ${i + 1} is missing, ${event.seq} is there`]
  for (const { plan, type } of events) {
    if (type !== 'plan.done') continue
    const { remodels } = await ledger.plan(deployment, plan)
    faults.push(...planFaults(deployment, plan, remodels, events))
  }
  return faults
}

function planFaults(deployment: string, plan: string, remodels: Remodel[], events: LedgerEvent[]): string[] {
  const faults: string[] = []
  const byId = new Map(remodels.map((remodel) => [remodel.id, remodel]))
  const done = new Map<string, number>()
  for (const event of events) {
    if (event.plan !== plan || event.type !== 'remodel.done') continue
    const id = event.remodel ?? ''
    if (done.has(id)) faults.push(`${deployment} ${plan}: ${id} is recorded done twice`)
    done.set(id, event.seq)
  }
  /** When all that a remodel needs was done; a barrier is done with the last of its own needs. */
  const needed = (remodel: Remodel): number =>
    Math.max(0, ...remodel.needs.map((id) => done.get(id) ?? needed(byId.get(id)!)))
  for (const remodel of remodels) {
    if (remodel.queue === null) continue
    const seq = done.get(remodel.id)
    if (seq === undefined) faults.push(`${deployment} ${plan}: the plan is done, ${remodel.id} is not recorded done`)
    else if (seq < needed(remodel)) faults.push(`${deployment} ${plan}: ${remodel.id} was done before its needs`)
  }
  return faults
}

/**
 * Double or late effects in the provider's log: a machine or disk made again that was not taken away (or killed by us)
 * before, an effect with a smaller fence than one before it of the same scope on the same thing.
 */
export async function effectFaults(directory: string, killedVms: ReadonlySet<string>): Promise<string[]> {
  const faults: string[] = []
  const actual = new Set<string>()
  const fences = new Map<string, number>()
  for (const { effect, id, scope, fence } of await readEffects(directory)) {
    if (effect === 'create_vm' || effect === 'create_disk') {
      if (actual.has(id) && !killedVms.has(id)) faults.push(`${effect} ${id} twice`)
      actual.add(id)
    }
    if (effect === 'delete_vm' || effect === 'delete_disk') actual.delete(id)
    if (scope === null || fence === null) continue
    const thing = `${scope} on ${id}`
    const largest = fences.get(thing) ?? -1
    if (fence < largest) faults.push(`${effect} ${id}: fence ${fence} of ${scope} after ${largest}`)
    fences.set(thing, Math.max(largest, fence))
  }
  return faults
}

/** Blobs whose bytes are not what their name says. */
export async function blobFaults(home: string): Promise<string[]> {
  const faults: string[] = []
  const root = join(home, 'blobs', 'sha256')
  for (const head of await readdir(root)) {
    for (const rest of await readdir(join(root, head))) {
      const found = createHash('sha256')
        .update(await readFile(join(root, head, rest)))
        .digest('hex')
      if (found !== head + rest) faults.push(`blob ${head}${rest} has the bytes of ${found}`)
    }
  }
  const quarantine = await readdir(join(home, 'blobs', 'quarantine'))
  return [...faults, ...quarantine.map((name) => `blob ${name} was put into quarantine`)]
}

/** What is left of us on this machine below `directory`: VMs, disks, mounts, processes of the agent. */
export async function leftovers(directory: string): Promise<string[]> {
  const names = async (folder: string) => readdir(join(directory, folder)).catch(() => [])
  const left = [...(await names('vms')).map((id) => `VM ${id}`), ...(await names('disks')).map((id) => `disk ${id}`)]
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').filter((line) => line.includes(directory))
  left.push(...mounts.map((line) => `mount ${line}`))
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const places = await Promise.all(['exe', 'cwd'].map((name) => readlink(`/proc/${pid}/${name}`).catch(() => '')))
    if (places.some((place) => place.startsWith(directory))) left.push(`process ${pid}: ${places.join(' in ')}`)
  }
  return left
}
