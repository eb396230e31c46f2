import { Redis, type RedisOptions } from 'ioredis'
import { parseRedisUrl } from './redis/address.ts'

/** Where Redis is and what our keys begin with. */
export interface RedisSettings {
  url: string
  /** First part of every key and of every queue's keys; lets several Remodels share one Redis. */
  prefix: string
}

/** From REDIS_URL and REMODEL_PREFIX. Throws `invalid-input` where the address is none. */
export function redisSettings(env: NodeJS.ProcessEnv = process.env): RedisSettings {
  const settings = { url: env.REDIS_URL || 'redis://127.0.0.1:6379', prefix: env.REMODEL_PREFIX || 'remodel' }
  parseRedisUrl(settings.url)
  return settings
}

/**
 * `service`: waits for Redis and comes back after it was away (workers and planners).
 * `request`: fails at once where Redis is away (the API, the CLI, enqueuing), so that nobody waits without knowing.
 */
export function connectRedis(
  settings: RedisSettings,
  manner: 'service' | 'request',
  options: Omit<RedisOptions, 'replyMapping'> = {},
): Redis {
  const all: Omit<RedisOptions, 'replyMapping'> = {
    maxRetriesPerRequest: manner === 'service' ? null : 1,
    enableOfflineQueue: manner === 'service',
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 1000),
    ...options,
  }
  const address = parseRedisUrl(settings.url)
  const redis = 'url' in address ? new Redis(address.url, all) : new Redis({ ...address.sentinel, ...all })
  // Without a listener a lost connection would end the process; commands report it themselves.
  redis.on('error', () => {})
  return redis
}

/** True where a replica may take over from the Redis of now. */
export function isReplicated(settings: RedisSettings): boolean {
  return 'sentinel' in parseRedisUrl(settings.url)
}

/** An address for people: no password. */
export function redisAddress(settings: RedisSettings): string {
  return parseRedisUrl(settings.url).shown
}
