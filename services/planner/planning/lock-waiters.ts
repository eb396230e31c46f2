import type { Redis } from 'ioredis'
import { unlockedChannel } from '../../../shared/ledger/keys.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'

/** Waits for turns at deployments' locks: a lock that is given back wakes one waiter, the first in line. */
export class LockWaiters {
  readonly #subscriber: Redis
  readonly #waiting = new Map<string, () => void>()

  constructor(subscriber: Redis) {
    this.#subscriber = subscriber
  }

  async start(settings: RedisSettings): Promise<void> {
    const channel = unlockedChannel(settings)
    this.#subscriber.on('message', (from, waiter: string) => {
      if (from === channel) this.#waiting.get(waiter)?.()
    })
    await this.#subscriber.subscribe(channel)
  }

  /** Resolves when it is this waiter's turn, or after `ms`. */
  wait(waiter: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(end, Math.max(0, ms))
      const waiting = this.#waiting
      function end() {
        clearTimeout(timer)
        waiting.delete(waiter)
        resolve()
      }
      this.#waiting.set(waiter, end)
    })
  }
}
