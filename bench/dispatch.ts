import type { RemodelDraft } from '../kinds/contract/draft.ts'
import { sealPlan } from '../services/planner/planning/seal.ts'
import type { Plan } from '../shared/model/plan.ts'
import { startBaseline } from './baseline.ts'
import { atLeast, atMost, type Figure, median, medianOf, noted, percentile } from './figure.ts'
import { largeFigures } from './large.ts'
import { startStack } from './stack.ts'

const width = 1000
const length = 400
const dagSize = 10_000
const pairsMeasured = 9

export async function run(): Promise<Figure[]> {
  return [...(await quickFigures()), ...(await largeFigures('dispatch'))]
}

/**
 * What dispatching costs where the work itself costs nothing, beside bare BullMQ and a BullMQ flow of the same shape.
 */
async function quickFigures(): Promise<Figure[]> {
  const stack = await startStack()
  const baseline = await startBaseline(stack.settings)
  try {
    const flowFan = await medianOf(() => baseline.fan(width))
    // Right after each other: other work on the machine comes and goes.
    const pairs: { bare: number; fan: number }[] = []
    for (let i = 0; i <= pairsMeasured; i++) {
      const one = { bare: await baseline.bare(width + 2), fan: await stack.run(fanPlan(fresh())) }
      if (i > 0) pairs.push(one)
    }
    const [bare, fan] = [median(pairs.map((one) => one.bare)), median(pairs.map((one) => one.fan))]
    const flowChain = await medianOf(() => baseline.chain(length))
    const hops: number[] = []
    const chain = await medianOf(async () => {
      const plan = chainPlan(fresh())
      const ms = await stack.run(plan)
      hops.push(...(await hopsOf(plan.deployment, stack.ledger)))
      return ms
    })
    const dag = await medianOf(() => stack.run(dagPlan(fresh())))
    const memory = await stack.plannerMb()
    const bench = 'dispatch'
    const rate = (ms: number, jobs: number) => (jobs / ms) * 1000
    return [
      noted({
        bench,
        case: 'bare BullMQ, 1,002 jobs',
        value: rate(bare, width + 2),
        unit: 'jobs/s',
        against: 'itself',
      }),
      noted({
        bench,
        case: 'BullMQ flow, 1 -> 1,000 -> 1',
        value: rate(flowFan, width + 2),
        unit: 'jobs/s',
        against: 'itself',
      }),
      noted({
        bench,
        case: 'plan, 1 -> 1,000 -> 1',
        value: rate(fan, width + 2),
        unit: 'remodels/s',
        against: 'itself',
      }),
      atLeast(
        {
          bench,
          case: 'plan 1 -> 1,000 -> 1 over flow',
          value: flowFan / fan,
          unit: 'ratio (at least)',
          against: 'BullMQ flow of that shape, same run',
        },
        2,
      ),
      atLeast(
        {
          bench,
          case: 'plan 1 -> 1,000 -> 1 over bare',
          value: median(pairs.map((one) => one.bare / one.fan)),
          unit: 'ratio (at least)',
          against: 'bare add and process right before it; the middle of nine pairs',
        },
        0.75,
      ),
      noted({
        bench,
        case: 'BullMQ flow chain of 400',
        value: flowChain / length,
        unit: 'ms a hop',
        against: 'itself',
      }),
      atMost(
        {
          bench,
          case: 'plan chain of 400, hop p50',
          value: percentile(hops, 50),
          unit: 'ms',
          against: 'Windmill 49, Hatchet 90, Temporal 97 ms',
        },
        2,
      ),
      atMost(
        {
          bench,
          case: 'plan chain of 400, hop p99',
          value: percentile(hops, 99),
          unit: 'ms',
          against: 'Windmill 49, Hatchet 90, Temporal 97 ms',
        },
        25,
      ),
      atMost(
        {
          bench,
          case: 'plan chain of 400 over flow chain',
          value: chain / flowChain,
          unit: 'ratio',
          against: 'BullMQ flow chain, same run',
        },
        1.5,
      ),
      atMost({ bench, case: 'random DAG of 10,000', value: dag / 1000, unit: 's', against: 'raw queue' }, 4),
      atMost(
        {
          bench,
          case: 'random DAG of 10,000, planner memory',
          value: memory,
          unit: 'MB',
          against: "the most its process had, over all of the bench's plans",
        },
        250,
      ),
    ]
  } finally {
    await baseline.stop()
    await stack.stop()
  }
}

let serial = 0
const fresh = () => `bench-${++serial}`

/** Milliseconds from one remodel's end to the next one's end: a hop is everything in between. */
async function hopsOf(
  deployment: string,
  ledger: { events(d: string, after: number, o: { limit: number }): Promise<{ type: string; at: number }[]> },
): Promise<number[]> {
  const ends = (await ledger.events(deployment, 0, { limit: 10_000 }))
    .filter((event) => event.type === 'remodel.done')
    .map((event) => event.at)
  return ends.slice(1).map((at, i) => at - ends[i]!)
}

function plan(deployment: string, remodels: RemodelDraft[]): Plan {
  return sealPlan(
    { remodels, windows: [], permits: [], notes: [] },
    { deployment, kind: 'noop', materials: [], strategy: null },
    { deployment, version: 0, materials: [] },
  )
}

function noop(id: string, needs: string[] = []): RemodelDraft {
  return {
    id,
    step: 'nothing',
    action: 'update',
    material: `thing/${id}`,
    title: id,
    stage: 'Nothing',
    reasons: [{ code: 'bench' }],
    needs,
  }
}

function fanPlan(deployment: string): Plan {
  const middle = Array.from({ length: width }, (_, i) => noop(`m${i}`, ['first']))
  return plan(deployment, [
    noop('first'),
    ...middle,
    noop(
      'last',
      middle.map((remodel) => remodel.id),
    ),
  ])
}

function chainPlan(deployment: string): Plan {
  return plan(
    deployment,
    Array.from({ length }, (_, i) => noop(`c${i}`, i === 0 ? [] : [`c${i - 1}`])),
  )
}

/** Each node needs up to three of the 200 before it, drawn by a small fixed generator: the same graph every time. */
function dagPlan(deployment: string): Plan {
  let seed = 42
  const draw = (limit: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed % limit
  }
  return plan(
    deployment,
    Array.from({ length: dagSize }, (_, i) => {
      const needs = new Set(Array.from({ length: draw(4) }, () => i - 1 - draw(200)).filter((need) => need >= 0))
      return noop(
        `n${i}`,
        [...needs].map((need) => `n${need}`),
      )
    }),
  )
}
