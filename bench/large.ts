import { sealPlan } from '../services/planner/planning/seal.ts'
import type { Plan } from '../shared/model/plan.ts'
import { jobName } from '../shared/queue/payloads.ts'
import { person } from '../test/support/actors.ts'
import { atMost, type Figure, noted, percentile } from './figure.ts'
import { Pinger } from './pinger.ts'
import { type Stack, startStack } from './stack.ts'

const remodels = 100_000
const permits = 20_000
/** No worker listens here: what goes there is failed by hand. */
const apart = 'assemble-apart'

const rounds = 3

/** What one round found. */
interface Round {
  /** Of each script the milliseconds of Redis' processor that its longest run took. */
  scripts: Map<string, number>
  /** The same of a script that reads nothing. */
  control: number
  /** Milliseconds of each PING of another client. */
  pings: number[]
  plannerMb: number
}

/**
 * What a plan of 100,000 remodels costs others: it is stored, opened, worked at, fails; another is cancelled by
 * force; both are moved away. What a script costs by itself it costs in every round; what the machine adds, by the
 * control tens of milliseconds to a run among thousands, comes and goes. So of each script the round counts in which
 * its longest run was the shortest.
 */
export async function largeFigures(bench: string): Promise<Figure[]> {
  const found: Round[] = []
  for (let round = 0; round < rounds; round++) found.push(await measure())
  const [name, ms] = longest(found.map(({ scripts }) => scripts))
  const pings = found.flatMap((round) => round.pings)
  const of = '100,000 remodels with 20,000 places'
  const against = `stored, opened, begun, failed, moved to the blobstore; another cancelled by force; ${rounds} rounds`
  const figure = (what: string, value: number, unit: string) => ({
    bench,
    case: `${of}: ${what}`,
    value,
    unit,
    against,
  })
  return [
    atMost(figure(`longest script (${name})`, ms, 'ms'), 20),
    noted(figure('longest run of any round', Math.max(...found.flatMap(({ scripts }) => [...scripts.values()])), 'ms')),
    noted(figure('longest script of reads of nothing', Math.max(...found.map(({ control }) => control)), 'ms')),
    atMost(figure('PING p99', percentile(pings, 99), 'ms'), 25),
    noted(figure('longest PING', percentile(pings, 100), 'ms')),
    atMost(figure('planner memory', Math.max(...found.map(({ plannerMb }) => plannerMb)), 'MB'), 300),
  ]
}

function longest(found: readonly Map<string, number>[]): [name: string, ms: number] {
  const names = new Set(found.flatMap((scripts) => [...scripts.keys()]))
  const least = (name: string) => Math.min(...found.flatMap((scripts) => scripts.get(name) ?? []))
  const all = [...names].map((name): [string, number] => [name, least(name)])
  return all.reduce((one, other) => (other[1] > one[1] ? other : one), ['none', 0])
}

async function measure(): Promise<Round> {
  // Not before: it makes scripts dearer, also those of the bare BullMQ that other figures are compared with.
  const { longestControl, longestRuns } = await import('./script-clock.ts')
  const stack = await startStack({ clocked: true })
  const pinger = await Pinger.start(stack.settings.url)
  try {
    const failed = await stored(stack, 'large-failed')
    await open(stack, failed)
    await begun(stack, failed)
    await failOne(stack, failed)
    await over(stack, failed, 'failed')
    const cancelled = await stored(stack, 'large-cancelled')
    await open(stack, cancelled)
    await begun(stack, cancelled)
    await stack.ledger.cancel(cancelled.deployment, cancelled.id, person('bench'), true)
    await over(stack, cancelled, 'cancelled')
    await Promise.all([moved(stack, failed), moved(stack, cancelled)])
    const pings = await pinger.end()
    const scripts = await longestRuns(stack.redis)
    return { scripts, control: await longestControl(stack.redis), pings, plannerMb: await stack.plannerMb() }
  } finally {
    await stack.stop()
  }
}

async function stored({ ledger }: Stack, deployment: string): Promise<Plan> {
  const drafts = Array.from({ length: remodels }, (_, i) => ({
    ...{ id: `create-vm web/${i}`, step: 'nothing', action: 'update' as const, material: `thing/${i}`, title: `${i}` },
    ...{ stage: 'Nothing', reasons: [{ code: 'bench' }], permit: `update web/${i % permits}` },
    ...(i === 0 ? { queue: apart } : {}),
  }))
  const granted = Array.from({ length: permits }, (_, i) => ({
    name: `update web/${i}`,
    windows: ['all', `zone ${i % 5}`],
  }))
  const windows = ['all', ...Array.from({ length: 5 }, (_, i) => `zone ${i}`)].map((name) => ({ name, limit: permits }))
  const plan = sealPlan(
    { remodels: drafts, windows, permits: granted, notes: [] },
    { deployment, kind: 'noop', materials: [], strategy: null },
    { deployment, version: 0, materials: [] },
  )
  return ledger.store(plan, Date.now())
}

async function open({ ledger }: Stack, plan: Plan): Promise<void> {
  const opened = await ledger.open(plan.deployment, plan.id, { by: person('bench'), message: '' })
  if (opened.status !== 'ok') throw new Error(`plan ${plan.id}: ${JSON.stringify(opened)}`)
}

/** Waits until workers have carried out some of it, and all of it was released. */
async function begun(stack: Stack, { deployment, id }: Plan): Promise<void> {
  const todo = `${stack.ledger.base(deployment)}:plan:${id}:todo`
  await until(async () => {
    const { counts } = await stack.ledger.planRecord(deployment, id)
    return counts.done > 1000 && (await stack.redis.exists(todo)) === 0
  })
}

async function failOne({ ledger }: Stack, { deployment, id }: Plan): Promise<void> {
  const remodel = 'create-vm web/0'
  const [result] = await ledger.claim(deployment, 'bench', [{ plan: id, remodel, job: jobName(remodel, 1) }])
  if (result?.status !== 'claimed') throw new Error(`${remodel} could not be claimed`)
  const { fence } = result.claim
  await ledger.complete(deployment, [
    { plan: id, remodel, fence, outcome: 'failed', code: 'job-failed', message: 'asked for' },
  ])
}

async function over({ ledger }: Stack, { deployment, id }: Plan, state: string): Promise<void> {
  await until(async () => (await ledger.planRecord(deployment, id)).state === state)
}

/** The planner knows no kind `noop`, so it does not list its plans by itself. */
async function moved({ ledger, redis }: Stack, { deployment, id }: Plan): Promise<void> {
  await ledger.retention.listEnded(deployment, id)
  await until(async () => (await redis.hget(`${ledger.base(deployment)}:plan:${id}`, 'blob')) !== null)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 100))
}
