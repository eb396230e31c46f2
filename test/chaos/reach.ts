import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { planSmall, type SmallOptions, uploadSmall } from '../support/small.ts'
import type { ChaosStack } from './stack.ts'
import type { User } from './user.ts'

/** Where a way to a point is gone. */
export interface Ground {
  stack: ChaosStack
  ledger: Ledger
  user: User
  /** What was wished first. */
  fresh: SmallOptions
  killed(): Promise<boolean>
}

/** Beside a deploy from nothing, a hot swap and a removal: what more leads to a point, and when. */
interface Way {
  /** Variables of the process that is killed there. */
  env?: Record<string, string>
  first?(ground: Ground): Promise<void>
  /** When the first deploy is done. */
  deployed?(ground: Ground): Promise<void>
  /** When the deployment is gone. */
  gone?(ground: Ground): Promise<void>
  /** After the ledger was looked at: what this takes away would be missing there. */
  last?(ground: Ground): Promise<void>
}

/** The way to a point, by its name or by the part before the dot. */
export function wayTo(point: string): Way {
  return ways[point] ?? ways[point.split('.')[0]!] ?? {}
}

const ways: Record<string, Way> = {
  cleaning: { gone: cleanUp },
  history: { gone: moved },
  releases: { deployed: ({ user }) => user.ask(uploadSmall) },
  'dispatch.cleared': { deployed: unclaimed },
  'reservations.over': { first: refused },
  'ledger.cancelled': { deployed: unlocked },
  'owed.shown': { deployed: unlocked },
  // Retention looks once a minute.
  'ledger.forgotten': { env: { REMODEL_KEEP_PLANS: '1' }, last: async ({ killed }) => until(killed) },
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 120_000; !(await holds()); await sleep(50))
    if (performance.now() >= end) throw new Error(`not within two minutes: ${holds}`)
}

/** Collects garbage; the process that died of it held the claim, which has to run out first. */
async function cleanUp({ user }: Ground): Promise<void> {
  await until(async () => {
    try {
      await user.ask((client) => client.cleanUp({ all: true, dryRun: false }))
      return true
    } catch (error) {
      if (!(error instanceof RemodelError) || error.code !== 'locked') throw error
      return false
    }
  })
}

/** All plans of the deployment lie in the blobstore. */
async function moved({ ledger, user: { deployment } }: Ground): Promise<void> {
  const plans = await ledger.planIds(deployment, 0)
  const isMoved = async (plan: string) => (await ledger.ended(deployment, plan)) !== null
  await until(async () => (await Promise.all(plans.map(isMoved))).every(Boolean))
}

/** Another deployment wants the same addresses: it is refused, and gives back what it took. */
async function refused({ user, fresh }: Ground): Promise<void> {
  const plans = await Promise.all(
    [user.deployment, `${user.deployment}-rival`].map(async (name) => {
      const { plan } = await user.ask((client) => planSmall(client, { ...fresh, name }))
      return plan.id
    }),
  )
  const apply = (plan: string) => user.ask((client) => client.apply(plan, {}))
  await apply(plans[0]!)
  let code = ''
  await until(async () => {
    code = await apply(plans[1]!).then(
      () => 'it was opened',
      (error: RemodelError) => error.code,
    )
    // The planner died of it, and another one begins.
    return code !== 'unavailable'
  })
  if (code !== 'claimed') throw new Error(`a plan whose addresses another one holds: ${code}`)
}

/** The only assembler sleeps: what was published for it is looked for, and found in its queue. */
async function unclaimed({ stack, user, fresh, killed }: Ground): Promise<void> {
  const assemblers = stack.of('assembler')
  for (const slot of assemblers) slot.signal('SIGSTOP')
  try {
    const wish = { ...fresh, name: user.deployment, greeting: 'later' }
    const { plan } = await user.ask((client) => planSmall(client, wish))
    await user.ask((client) => client.apply(plan.id, {}))
    await until(killed)
  } finally {
    for (const slot of assemblers) slot.signal('SIGCONT')
  }
}

/** A forced unlock while an assembler is in the middle of a pre-start: its machine is owed a fence. */
async function unlocked({ stack, ledger, user, fresh }: Ground): Promise<void> {
  const { deployment } = user
  const wish = { ...fresh, name: deployment, late: 'pre-start' as const }
  const { plan } = await user.ask((client) => planSmall(client, wish))
  await user.ask((client) => client.apply(plan.id, {}))
  await until(async () => {
    const vms = await stack.provider.listVms({ owner: `deployment/${deployment}` })
    const begun = await Promise.all(vms.map(({ id }) => hasBegun(stack, id)))
    return begun.includes(true)
  })
  const lock = await ledger.lock(deployment)
  if (lock?.plan !== plan.id) throw new Error(`plan ${plan.id} was over before it was unlocked`)
  await user
    .ask((client) => client.unlock(lock.id))
    .catch((error) => {
      // The planner that died had done it.
      if (!(error instanceof RemodelError) || error.code !== 'not-found') throw error
    })
}

async function hasBegun(stack: ChaosStack, vm: string): Promise<boolean> {
  const machine = await stack.provider.connect(vm, null).catch(() => null)
  if (!machine) return false
  try {
    return (await machine.exec(['ls', '/var/vcap'])).stdout.includes('begun')
  } catch {
    return false
  } finally {
    machine.close()
  }
}
