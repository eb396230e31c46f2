import { setTimeout } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Kind, World } from '../../../kinds/contract/kind.ts'
import type { KindRegistry } from '../../../kinds/registry.ts'
import type { Ledger } from '../../../shared/ledger/ledger.ts'
import type { Loss } from '../../../shared/model/healing.ts'
import type { Deviation, Verdict } from '../../../shared/model/verdict.ts'
import { impatient } from '../../../shared/provider/impatient.ts'
import type { Division } from '../../../shared/runtime/division.ts'
import { toError } from '../../../shared/runtime/errors.ts'
import { type Loop, startLoop } from '../../../shared/runtime/loop.ts'
import { eachAtMost } from '../../../shared/runtime/parallel.ts'

const everyMs = 1000
/** How many deployments are looked at side by side; one that deviates is looked at for seconds. */
const atOnce = 8
/** More plans do not rest between their end and the blobstore, unless that is away. */
const mostResting = 1000
/** A server that has just been set up may still be on its way: a deviation is looked at again for this long. */
const patienceMs = 10_000
const againMs = 500

/** What is lost, of so many instances. */
export interface Lost {
  losses: Loss[]
  of: number
}

type Parts = Omit<World, 'recorded'> & { ledger: Ledger; kinds: KindRegistry }

/**
 * Verdicts: after every plan that is done the world is read again and compared with what the ledger has recorded. A
 * plan says what its steps did; only the world says what is there now.
 */
export class Verdicts {
  readonly #ledger: Ledger
  readonly #kinds: KindRegistry
  readonly #world: Omit<World, 'recorded'>
  /** Plans among those that rest which need no further look: each is looked at once by a planner. */
  #settled = new Set<string>()

  constructor({ ledger, kinds, ...world }: Parts) {
    this.#ledger = ledger
    this.#kinds = kinds
    this.#world = world
  }

  /** Looks at a deployment now, and again for up to `waitMs` while something deviates. */
  async look(deployment: string, kind: Kind, waitMs = 0): Promise<Verdict> {
    const until = performance.now() + waitMs
    for (;;) {
      const { deviations, warnings } = await this.#compare(deployment, kind)
      if (deviations.length === 0 || performance.now() >= until) {
        return { at: Date.now(), deviations, ...(warnings.length === 0 ? {} : { warnings }) }
      }
      await setTimeout(againMs)
    }
  }

  /**
   * What of a deployment is lost now, and how many instances it has. Machines that are doubted have a second to answer.
   */
  async losses(
    deployment: string,
    { inspector, nothing, losses, instances }: Kind,
    doubted: ReadonlySet<string>,
  ): Promise<Lost> {
    if (!losses) return { losses: [], of: 0 }
    const recorded = await this.#ledger.floorplan(deployment)
    const provider = impatient(this.#world.provider, doubted)
    const found = await inspector(nothing(deployment), { ...this.#world, recorded, provider })
    return { losses: losses(found), of: instances?.(found.materials).length ?? 0 }
  }

  /** Records the verdict on each plan that has ended well, has none, and is the last that changed its deployment. */
  async record(falls: (deployment: string) => boolean): Promise<void> {
    const resting = await this.#ledger.retention.endedPlans(0, mostResting)
    const ids = new Set(resting.map(({ plan }) => plan))
    this.#settled = new Set([...this.#settled].filter((plan) => ids.has(plan)))
    const open = resting.filter(({ deployment, plan }) => falls(deployment) && !this.#settled.has(plan))
    await eachAtMost(atOnce, open, async ({ deployment, plan }) => {
      await this.#recordOne(deployment, plan)
      this.#settled.add(plan)
    })
  }

  async #recordOne(deployment: string, plan: string): Promise<void> {
    const { state, verdict, kind: name } = await this.#ledger.planRecord(deployment, plan)
    const kind = this.#kinds.find(name)
    if (state !== 'done' || verdict !== null || !kind) return
    const before = await this.#ledger.floorplan(deployment)
    const seen = await this.look(deployment, kind, patienceMs)
    const [lock, after] = await Promise.all([this.#ledger.lock(deployment), this.#ledger.floorplan(deployment)])
    // A difference may belong to the plan that runs since.
    if (lock || after.version !== before.version) return
    await this.#ledger.recordVerdict(deployment, plan, seen)
  }

  async #compare(
    deployment: string,
    { inspector, deviations, warnings, nothing }: Kind,
  ): Promise<{ deviations: Deviation[]; warnings: string[] }> {
    if (!deviations) return { deviations: [], warnings: [] }
    const recorded = await this.#ledger.floorplan(deployment)
    const found = await inspector(nothing(deployment), { ...this.#world, recorded, closely: true })
    return { deviations: deviations(found, deployment), warnings: warnings?.(found, deployment) ?? [] }
  }
}

/** Records verdicts soon after plans have ended. */
export function startVerdicts(verdicts: Verdicts, planners: Pick<Division, 'falls'>, log: Logger): Loop {
  return startLoop({
    everyMs,
    turn: () => verdicts.record((deployment) => planners.falls(deployment)),
    failed: (error) => log.warn({ err: toError(error) }, 'a deployment could not be compared; it is tried again'),
  })
}
