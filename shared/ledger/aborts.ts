import type { Redis } from 'ioredis'
import { z } from 'zod'
import { listen } from '../runtime/channel.ts'
import { RemodelError } from '../runtime/errors.ts'
import type { RedisSettings } from '../runtime/redis.ts'
import { abortChannel } from './keys.ts'
import type { LedgerReader } from './reader.ts'
import type { Claim } from './records.ts'

/** Far more than are cancelled while one answer is on its way. */
const remembered = 1000

/** The ledger, which is asked after a time in which no message could arrive. */
type Asked = Pick<LedgerReader, 'cancelledAt'>
type Watched = Pick<Claim, 'deployment' | 'plan' | 'startedAt'>

/**
 * Stops running work whose plan was cancelled. A cancellation is published, so one that comes while the connection is
 * broken is not heard: when it is back, the ledger is asked about every plan with running work.
 */
export class Aborts {
  readonly #subscriber: Redis
  readonly #ledger: Asked
  readonly #running = new Map<string, Map<AbortController, Watched>>()
  /** Plan -> when its cancellation was heard; the newest last. */
  readonly #lately = new Map<string, number>()

  constructor(subscriber: Redis, ledger: Asked) {
    this.#subscriber = subscriber
    this.#ledger = ledger
  }

  async start(settings: RedisSettings): Promise<void> {
    const channel = abortChannel(settings)
    await listen(this.#subscriber, channel, z.object({ plan: z.string() }), ({ plan }) => {
      this.#heard(plan)
      for (const controller of this.#running.get(plan)?.keys() ?? []) controller.abort(cancelled(plan))
    })
    this.#subscriber.on('ready', () => {
      // Asked when the channel is listened to again, so that nothing falls in between. Should the connection break
      // meanwhile, the next one asks.
      this.#subscriber
        .subscribe(channel)
        .then(() => this.#askForMissed())
        .catch(() => {})
    })
  }

  /**
   * A signal that fires when the plan is cancelled; `end` forgets it.
   *
   * @param since `performance.now()` from before the claim was asked for: a cancellation can be heard
   * before the answer to it.
   */
  watch(claim: Watched, since: number): { signal: AbortSignal; end(): void } {
    const { plan } = claim
    const controller = new AbortController()
    if ((this.#lately.get(plan) ?? -1) >= since) controller.abort(cancelled(plan))
    const all = this.#running.get(plan) ?? new Map<AbortController, Watched>()
    all.set(controller, claim)
    this.#running.set(plan, all)
    return {
      signal: controller.signal,
      end: () => {
        all.delete(controller)
        if (all.size === 0) this.#running.delete(plan)
      },
    }
  }

  /** Work that began after the cancellation cleans up, and goes on. */
  async #askForMissed(): Promise<void> {
    for (const [plan, watches] of [...this.#running]) {
      const [first] = watches.values()
      const at = first ? await this.#ledger.cancelledAt(first.deployment, plan) : null
      if (at === null) continue
      for (const [controller, { startedAt }] of watches) if (startedAt <= at) controller.abort(cancelled(plan))
    }
  }

  #heard(plan: string): void {
    this.#lately.delete(plan)
    this.#lately.set(plan, performance.now())
    const [oldest] = this.#lately.keys()
    if (this.#lately.size > remembered) this.#lately.delete(oldest!)
  }
}

function cancelled(plan: string): RemodelError {
  return new RemodelError('cancelled', `plan ${plan} was cancelled`)
}
