import type { Logger } from 'pino'
import type { Ledger } from '../../../shared/ledger/ledger.ts'
import type { Division } from '../../../shared/runtime/division.ts'
import { toError } from '../../../shared/runtime/errors.ts'
import { type Loop, startLoop } from '../../../shared/runtime/loop.ts'

const everyMs = 5000
/** A plan that has just ended is being looked at; its table and events are read from Redis for this long. */
const restMs = 30_000
/** How many plans of the list are looked at each time. */
const atOnce = 100

/**
 * Moves plans that have ended to the blobstore, so that Redis' memory is for what runs. `Settling` lists them; each is
 * moved by the planner that its deployment falls to. A plan that cannot be moved now stays on the list.
 */
export class Moving {
  readonly #ledger: Ledger
  readonly #planners: Pick<Division, 'falls'>
  readonly #log: Logger
  #loop: Loop | undefined

  constructor(parts: { ledger: Ledger; planners: Pick<Division, 'falls'>; log: Logger }) {
    this.#ledger = parts.ledger
    this.#planners = parts.planners
    this.#log = parts.log
  }

  start(): void {
    this.#loop = startLoop({ everyMs, turn: () => this.move(restMs), failed: (error) => this.#failed(error) })
  }

  async stop(): Promise<void> {
    await this.#loop?.stop()
  }

  /** Moves what ended longer than `restingMs` ago. */
  async move(restingMs: number): Promise<void> {
    for (const { deployment, plan } of await this.#ledger.retention.endedPlans(restingMs, atOnce)) {
      if (this.#planners.falls(deployment))
        await this.#ledger.retention.archive(deployment, plan).catch((error) => this.#failed(error, deployment, plan))
    }
  }

  #failed(error: unknown, deployment?: string, plan?: string): void {
    this.#log.warn({ err: toError(error), deployment, plan }, 'a plan that ended stays in Redis; it is tried again')
  }
}
