import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis, type RedisOptions } from 'ioredis'
import { homeDirectory } from './home.ts'
import { parseRedisUrl } from './redis/address.ts'
import { clusterOptions } from './redis/cluster.ts'

/** Where Redis is and what our keys begin with. */
export interface RedisSettings {
  url: string
  /**
   * First part of every key and of every queue's keys; lets several Remodels share one Redis. In a
   * cluster it is a hash tag.
   */
  prefix: string
}

/**
 * In a Redis Cluster all keys of an installation share one hash tag: scripts and pipelines reach
 * all of them in one slot.
 */
export function settingsFor(url: string, prefix: string): RedisSettings {
  const isTag = /^\{[^{}]+\}$/.test(prefix)
  return { url, prefix: 'cluster' in parseRedisUrl(url) && !isTag ? `{${prefix}}` : prefix }
}

/**
 * REDIS_URL, else the Redis that `remodel up` runs in this home, else the usual address. The address of the home's own
 * has its password, so it is in a file that only its owner can read, and in no environment and no list of
 * arguments. Throws `invalid-input` where the address is none.
 */
export function redisSettings(env: NodeJS.ProcessEnv = process.env): RedisSettings {
  const url = env.REDIS_URL || readRedisAddress(homeDirectory(env)) || 'redis://127.0.0.1:6379'
  return settingsFor(url, env.REMODEL_PREFIX || 'remodel')
}

/** `<home>/redis-url`: of the Redis that `up` runs there. */
export function redisAddressFile(home: string): string {
  return join(home, 'redis-url')
}

function readRedisAddress(home: string): string | undefined {
  try {
    return readFileSync(redisAddressFile(home), 'utf8').trim() || undefined
  } catch {
    return undefined
  }
}

/**
 * `service`: waits for Redis and comes back after it was away (workers and planners).
 * `request`: fails at once where Redis is away (the API, the CLI, enqueuing), so that no caller waits without knowing.
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
  const redis =
    'url' in address
      ? new Redis(address.url, all)
      : new Redis({
          ...('sentinel' in address ? address.sentinel : clusterOptions(address.cluster, settings.prefix)),
          ...all,
        })
  // Without a listener a lost connection would end the process; commands report it themselves.
  redis.on('error', () => {})
  return redis
}

/**
 * Whether a replica may take over from the Redis of now: always where Sentinels watch, in a cluster
 * where the node has one.
 */
export async function isReplicated(redis: Pick<Redis, 'role'>, settings: RedisSettings): Promise<boolean> {
  const address = parseRedisUrl(settings.url)
  if (!('cluster' in address)) return 'sentinel' in address
  const [, , replicas] = await redis.role()
  return Array.isArray(replicas) && replicas.length > 0
}

/** An address for people: no password. */
export function redisAddress(settings: RedisSettings): string {
  return parseRedisUrl(settings.url).shown
}
