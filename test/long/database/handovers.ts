import { failpointsOf } from '../../chaos/failpoints.ts'
import { Random } from '../../sim/random.ts'
import type { Fault } from './scene.ts'

/** A change of the primary of a node of three servers. */
export interface Handover {
  run: number
  how: 'switch-over' | 'fail-over'
  /** What happens to the two replicas before it. */
  faults: readonly (Fault | 'none')[]
  /** Which of the two is to take over, where the document says so. */
  heir: number
  interrupt: 'nothing' | 'cancel' | 'kill'
  /** Where it is interrupted. */
  point: string
  synchronous: boolean
  /** The plan is drawn before the faults. */
  early: boolean
}

/**
 * Reached by changes that go through; `switch-over.taken-back` by those that are cancelled, and its lane kills there.
 */
const points = failpointsOf('database')
  .map(({ name }) => name)
  .filter((name) => /^(switch-over|fail-over)\./.test(name) && name !== 'switch-over.taken-back')

/** Hand-overs, each at the next point of a shuffled list: 20 of them are at each point twice and more. */
export function drawHandovers(seed: number, runs: number): Handover[] {
  const order = new Random(seed).fork('points').shuffle([...points])
  return Array.from({ length: runs }, (_, run) => draw(new Random(seed).fork(`run ${run}`), run, order))
}

function draw(random: Random, run: number, order: readonly string[]): Handover {
  const point = order[run % order.length]!
  const how = point.startsWith('switch-over') ? 'switch-over' : 'fail-over'
  const fault = () => random.pick(['none', 'none', 'cut off', 'cut off', 'lagging', 'silent'] as const)
  return {
    run,
    how,
    faults: [fault(), fault()],
    heir: random.int(0, 1),
    interrupt: random.pick(['nothing', 'cancel', 'cancel', 'kill', 'kill']),
    point,
    // Without it a fail-over may lose rows, and a person is asked.
    synchronous: how === 'fail-over' || random.chance(0.7),
    early: how === 'switch-over' && random.chance(0.5),
  }
}
