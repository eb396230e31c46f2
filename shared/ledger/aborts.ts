import type { Redis } from 'ioredis'
import { RemodelError } from '../errors.ts'
import type { RedisSettings } from '../redis.ts'
import { abortChannel } from './keys.ts'

/** Tells work in hand that its plan was cancelled. */
export class Aborts {
  readonly #subscriber: Redis
  readonly #running = new Map<string, Set<AbortController>>()

  constructor(subscriber: Redis) {
    this.#subscriber = subscriber
  }

  async start(settings: RedisSettings): Promise<void> {
    this.#subscriber.on('message', (_channel, text: string) => {
      const { plan } = JSON.parse(text) as { plan: string }
      for (const controller of this.#running.get(plan) ?? []) {
        controller.abort(new RemodelError('cancelled', `plan ${plan} was cancelled`))
      }
    })
    await this.#subscriber.subscribe(abortChannel(settings))
  }

  /** A signal that fires when the plan is cancelled; `end` forgets it. */
  watch(plan: string): { signal: AbortSignal; end(): void } {
    const controller = new AbortController()
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
}
