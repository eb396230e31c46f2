import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type NamedPlan, UpdateDatabase } from '../../kinds/database/plan/operations/operations.ts'
import { atMost, type Figure, medianOf, noted } from '../figure.ts'
import { actualOf, fleetOf } from './fleet.ts'

/** What the reference takes for the same, measured with its own code on two shared cores. */
const reference: Record<number, string> = {
  3: 'reference 7.7 ms',
  9: 'reference 95 ms',
  30: 'reference 2,505 ms',
  100: 'reference 141,400 ms, 5.8 GB',
  300: 'reference: does not fit into 24 GB',
}
const limits: Record<number, number> = { 9: 3, 100: 100, 300: 1000 }

/** Planning of databases with three instances a node: nothing changed, and one more dependency on every instance. */
export async function run(): Promise<Figure[]> {
  const times = new Map<number, number>()
  const figures: Figure[] = []
  for (const count of [3, 9, 30, 100, 300]) {
    const value = await medianOf(timed(count, false, (plans) => plans.length === 0))
    times.set(count, value)
    const figure = {
      bench: 'database',
      case: `no-op rolling, ${count} x 3`,
      value,
      unit: 'ms',
      against: reference[count]!,
    }
    const limit = limits[count]
    figures.push(limit === undefined ? noted(figure) : atMost(figure, limit))
  }
  figures.push(slope(times))
  for (const count of [100, 300]) {
    const value = await peakMemory(count)
    const figure = {
      bench: 'database',
      case: `peak memory, ${count} x 3`,
      value,
      unit: 'MB',
      against: reference[count]!,
    }
    figures.push(count === 100 ? atMost(figure, 200) : noted(figure))
  }
  for (const [count, events, against] of changed) {
    const value = await medianOf(timed(count, true, (plans) => eventsOf(plans) === events))
    figures.push(noted({ bench: 'database', case: `new dependency rolling, ${count} x 3`, value, unit: 'ms', against }))
  }
  return figures
}

/** Nodes, events of the plans (the reference's own count), what the reference takes. */
const changed = [
  [9, 783, 'reference 88 ms'],
  [30, 8280, 'reference 2,384 ms'],
  [100, 90600, 'reference 139,400 ms'],
] as const

/**
 * One planning in ms; of a small database the mean of twenty in a row. The inputs are made before the clock starts; a
 * wrong result fails the bench.
 */
function timed(count: number, dependency: boolean, right: (plans: NamedPlan[]) => boolean): () => Promise<number> {
  const start = actualOf(fleetOf(count))
  const nodes = fleetOf(count, { dependency })
  const times = count < 30 ? 20 : 1
  return async () => {
    let plans: NamedPlan[] = []
    const begun = performance.now()
    for (let round = 0; round < times; round++) {
      plans = UpdateDatabase({ node_update_strategy: 'rolling' }, start, nodes)
    }
    const took = performance.now() - begun
    if (!right(plans)) throw new Error(`wrong plans for ${count} nodes: ${eventsOf(plans)} events`)
    return took / times
  }
}

function eventsOf(plans: readonly NamedPlan[]): number {
  return plans.reduce((sum, { phases }) => sum + phases.reduce((some, phase) => some + phase.length, 0), 0)
}

/** Over the resources of the state, not the nodes: a database of n nodes has about 2 n² of them. 1 is linear. */
function slope(times: ReadonlyMap<number, number>): Figure {
  const points = [30, 100, 300].map((count) => [Math.log(resourcesOf(count)), Math.log(times.get(count)!)] as const)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(points.map(([log]) => log))
  const y = mean(points.map(([, log]) => log))
  const rise = points.reduce((sum, [log, value]) => sum + (log - x) * (value - y), 0)
  const run = points.reduce((sum, [log]) => sum + (log - x) ** 2, 0)
  const against = 'reference 1.7'
  return atMost(
    { bench: 'database', case: 'log-log slope over resources, 30 to 300 x 3', value: rise / run, unit: '', against },
    1.25,
  )
}

/**
 * Per node: three instances with three resources and a monitor each, the node, its database; a slot and a
 * subscription per pair.
 */
function resourcesOf(nodes: number): number {
  return nodes * 17 + 2 * nodes * (nodes - 1)
}

async function peakMemory(count: number): Promise<number> {
  const child = fileURLToPath(new URL('memory.ts', import.meta.url))
  const measure = async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [child, String(count)])
    return Number(stdout)
  }
  return medianOf(measure, 3)
}
