import type { Redis } from 'ioredis'
import { z } from 'zod'
import { listen } from '../channel.ts'
import { RemodelError } from '../errors.ts'
import type { RedisSettings } from '../redis.ts'
import { abortChannel } from './keys.ts'

/** Far more than are cancelled while one answer is on its way. */
const remembered = 1000

/** Tells work in hand that its plan was cancelled. */
export class Aborts {
  readonly #subscriber: Redis
  readonly #running = new Map<string, Set<AbortController>>()
  /** Plan -> when its cancellation was heard; the newest last. */
  readonly #lately = new Map<string, number>()

  constructor(subscriber: Redis) {
    this.#subscriber = subscriber
  }

  async start(settings: RedisSettings): Promise<void> {
    await listen(this.#subscriber, abortChannel(settings), z.object({ plan: z.string() }), ({ plan }) => {
      this.#heard(plan)
      for (const controller of this.#running.get(plan) ?? []) {
        controller.abort(cancelled(plan))
      }
    })
  }

  /**
   * A signal that fires when the plan is cancelled; `end` forgets it.
   *
   * @param since `performance.now()` from before the claim was asked for: a cancellation can be heard before the answer to it.
   */
  watch(plan: string, since: number): { signal: AbortSignal; end(): void } {
    const controller = new AbortController()
    if ((this.#lately.get(plan) ?? -1) >= since) controller.abort(cancelled(plan))
    const all = this.#running.get(plan) ?? new Set()
    all.add(controller)
    this.#running.set(plan, all)
    return {
      signal: controller.signal,
      end: () => {
        all.delete(controller)
        if (all.size === 0) this.#running.delete(plan)
      },
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
