import { Redis, type RedisOptions } from 'ioredis'
import { RemodelError } from './errors.ts'

/** Where Redis is and what our keys begin with. */
export interface RedisSettings {
  url: string
  /** First part of every key and of every queue's keys; lets several Remodels share one Redis. */
  prefix: string
}

export function redisSettings(env: NodeJS.ProcessEnv = process.env): RedisSettings {
  return { url: env.REDIS_URL ?? 'redis://127.0.0.1:6379', prefix: env.REMODEL_PREFIX ?? 'remodel' }
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
  const redis = new Redis(settings.url, all)
  // Without a listener a lost connection would end the process; commands report it themselves.
  redis.on('error', () => {})
  return redis
}

/** An address for people: no password. */
export function redisAddress(settings: RedisSettings): string {
  const url = new URL(settings.url)
  return `${url.hostname}:${url.port || '6379'}`
}

/**
 * Checks what Remodel needs of its Redis: nothing evicted, everything on disk before it is acknowledged.
 * Throws `unsupported` that says which setting to change; `allowWeak` turns that into the returned warnings.
 */
export async function checkRedis(redis: Redis, allowWeak: boolean): Promise<string[]> {
  const wanted = { 'maxmemory-policy': 'noeviction', appendonly: 'yes', appendfsync: 'always' }
  const wrong: string[] = []
  for (const [name, value] of Object.entries(wanted)) {
    const [, found] = (await redis.config('GET', name)) as [string, string]
    if (found !== value) wrong.push(`${name} is ${found}, should be ${value}`)
  }
  if (wrong.length > 0 && !allowWeak) {
    throw new RemodelError(
      'unsupported',
      `this Redis could lose or evict what Remodel records: ${wrong.join('; ')}. Change it, or accept that with REMODEL_ALLOW_WEAK_REDIS=1`,
    )
  }
  return wrong
}
