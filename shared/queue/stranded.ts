import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { RedisSettings } from '../runtime/redis.ts'
import { queuePrefix } from './queues.ts'

type Clear = (queue: string, due: number, ...ids: string[]) => Promise<string[]>

/** How many ids one script looks at. */
const slice = 200

/**
 * Jobs that are left in a queue and will be handed to no worker: their id would swallow every later publication under
 * it. That happens where a queue was emptied in part (`lua/clear.lua`), and where a Redis that came back older has
 * forgotten that a job began, but not that it ended.
 */
export class StrandedJobs {
  readonly #settings: RedisSettings
  readonly #clear: Clear

  constructor(redis: Redis, settings: RedisSettings) {
    this.#settings = settings
    const lua = readFileSync(new URL('./lua/clear.lua', import.meta.url), 'utf8')
    redis.defineCommand('queue_clear', { numberOfKeys: 1, lua })
    this.#clear = (...args) => (redis as unknown as { queue_clear: Clear }).queue_clear(...args)
  }

  /**
   * Takes away those of `ids` that no worker will be handed; answers which.
   *
   * @param due The jobs should be in a worker's hands by now: those that ended or wait for a time go as well.
   */
  async clear(queue: string, ids: readonly string[], due: boolean): Promise<string[]> {
    const cleared: string[] = []
    for (let i = 0; i < ids.length; i += slice) {
      const prefix = `${queuePrefix(this.#settings)}:${queue}:`
      cleared.push(...(await this.#clear(prefix, due ? 1 : 0, ...ids.slice(i, i + slice))))
    }
    return cleared
  }
}
