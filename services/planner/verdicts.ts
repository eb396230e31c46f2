import { setTimeout } from 'node:timers/promises'
import type { Logger } from 'pino'
import { toError } from '../../shared/errors.ts'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Deviation, Verdict } from '../../shared/model/verdict.ts'
import type { Planners } from './dispatch/planners.ts'
import type { World } from './kinds/kind.ts'
import type { KindRegistry } from './kinds/registry.ts'

const everyMs = 1000
/** How many plans of the list of ended ones are looked at each time. */
const atOnce = 20
/** A server that has just been set up may still be on its way: what deviates is looked at again for so long. */
const patienceMs = 10_000
const againMs = 500

type Parts = Omit<World, 'recorded'> & { ledger: Ledger; kinds: KindRegistry }

/**
 * Verdicts: after every plan that is done the world is read again and compared with what the ledger has recorded. A plan says
 * what its steps did; only the world says what is there now.
 */
export class Verdicts {
  readonly #ledger: Ledger
  readonly #kinds: KindRegistry
  readonly #world: Omit<World, 'recorded'>

  constructor({ ledger, kinds, ...world }: Parts) {
    this.#ledger = ledger
    this.#kinds = kinds
    this.#world = world
  }

  /** Looks at a deployment now, and again for up to `waitMs` while something deviates. Throws `not-found` for an unknown one. */
  async look(deployment: string, waitMs = 0): Promise<Verdict> {
    const until = performance.now() + waitMs
    for (;;) {
      const deviations = await this.#deviations(deployment)
      if (deviations.length === 0 || performance.now() >= until) return { at: Date.now(), deviations }
      await setTimeout(againMs)
    }
  }

  /** Records the verdict on each plan that has ended well, has none, and is the last that changed its deployment. */
  async record(falls: (deployment: string) => boolean): Promise<void> {
    for (const { deployment, plan } of await this.#ledger.endedPlans(0, atOnce)) {
      if (!falls(deployment) || !(await this.#lacksVerdict(deployment, plan))) continue
      const { version } = await this.#ledger.floorplan(deployment)
      const verdict = await this.look(deployment, patienceMs)
      const moved =
        (await this.#ledger.lock(deployment)) || (await this.#ledger.floorplan(deployment)).version !== version
      // What was seen belongs to the plan that runs since.
      if (!moved) await this.#ledger.recordVerdict(deployment, plan, verdict)
    }
  }

  async #lacksVerdict(deployment: string, plan: string): Promise<boolean> {
    const { state, verdict } = await this.#ledger.planRecord(deployment, plan)
    if (state !== 'done' || verdict !== null) return false
    return (await this.#ledger.lock(deployment)) === null
  }

  async #deviations(deployment: string): Promise<Deviation[]> {
    const recorded = await this.#ledger.floorplan(deployment)
    const kind = await this.#ledger.kindOf(deployment)
    const { inspector, deviations, nothing } = this.#kinds.get(kind)
    if (!deviations) return []
    const { materials } = await inspector(nothing(deployment), { ...this.#world, recorded })
    return deviations(materials)
  }
}

/** Records verdicts soon after plans have ended. */
export function startVerdicts(verdicts: Verdicts, planners: Pick<Planners, 'falls'>, log: Logger): { stop(): void } {
  let running = false
  const timer = setInterval(async () => {
    if (running) return
    running = true
    await verdicts
      .record((deployment) => planners.falls(deployment))
      .catch((error) => log.warn({ err: toError(error) }, 'a deployment could not be compared; it is tried again'))
    running = false
  }, everyMs)
  return { stop: () => clearInterval(timer) }
}
