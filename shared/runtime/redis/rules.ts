import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { RemodelError } from '../errors.ts'
import { isReplicated, type RedisSettings } from '../redis.ts'

/** What Remodel needs of its Redis: nothing evicted, everything on disk before it is acknowledged. */
const wanted: Readonly<Record<string, string>> = {
  'maxmemory-policy': 'noeviction',
  appendonly: 'yes',
  appendfsync: 'always',
}

/**
 * Checks the settings of the Redis behind a connection. Where replicas take over (`replicated`), it must refuse writes
 * without a replica that has what came before.
 *
 * Throws `unsupported` that says which setting to change; `allowWeak` turns that into the returned warnings.
 * The same goes for a service that does not show its settings (CONFIG is refused by many that are managed): a
 * person has to see to them.
 */
export async function checkRedis(
  redis: Pick<Redis, 'config'>,
  { allowWeak, replicated = false }: { allowWeak: boolean; replicated?: boolean },
): Promise<string[]> {
  const found = new Map<string, string>()
  const names = [...Object.keys(wanted), ...(replicated ? ['min-replicas-to-write'] : [])]
  for (const name of names) {
    try {
      const [, value] = (await redis.config('GET', name)) as [string?, string?]
      if (value !== undefined) found.set(name, value)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }
  const wrong = names.flatMap((name) => {
    const value = found.get(name)
    if (value === undefined) return []
    if (name === 'min-replicas-to-write')
      return Number(value) >= 1 ? [] : [`${name} is ${value}, should be 1 or more, since a replica may take over`]
    return value === wanted[name] ? [] : [`${name} is ${value}, should be ${wanted[name]}`]
  })
  const hidden = names.filter((name) => !found.has(name))
  const faults = [
    ...(wrong.length > 0 ? [`this Redis could lose or evict what Remodel records: ${wrong.join('; ')}`] : []),
    ...(hidden.length > 0
      ? [
          `this Redis does not show ${hidden.join(', ')}: make sure that it evicts nothing and keeps every write before it acknowledges it`,
        ]
      : []),
  ]
  if (faults.length > 0 && !allowWeak) {
    const change = wrong.length > 0 ? 'Change it, or accept' : 'Accept'
    throw new RemodelError('unsupported', `${faults.join('; ')}. ${change} that with REMODEL_ALLOW_WEAK_REDIS=1`)
  }
  return faults
}

/**
 * Checks the settings now, and again after every reconnect: a replica that took over has settings of its own. Throws as
 * `checkRedis` does; a later Redis that is refused ends the process, which says why when it is started again.
 */
export async function watchRedis(redis: Redis, settings: RedisSettings, log: Logger): Promise<void> {
  const check = async () => {
    await checkCluster(redis, settings)
    const rules = {
      allowWeak: process.env.REMODEL_ALLOW_WEAK_REDIS === '1',
      replicated: await isReplicated(redis, settings),
    }
    for (const warning of await checkRedis(redis, rules)) log.warn(warning)
  }
  await check()
  redis.on('ready', () => {
    check().catch((error) => {
      if (!(error instanceof RemodelError)) return
      log.fatal({ err: error }, 'this is another Redis than before, and Remodel cannot work on it')
      process.exit(1)
    })
  })
}

/** Throws `unsupported` where one server is named that is a node of a cluster, or a cluster that is one server. */
async function checkCluster(redis: Pick<Redis, 'info'>, settings: RedisSettings): Promise<void> {
  const info = await redis.info('cluster').catch((error) => {
    if (isRefusal(error)) return ''
    throw error
  })
  const isNode = /^cluster_enabled:([01])/m.exec(info)?.[1]
  const named = settings.url.includes('+cluster://')
  if (isNode === '1' && !named) {
    throw new RemodelError(
      'unsupported',
      'this Redis is a node of a cluster, which has a part of the keys: name the cluster by redis+cluster://host:port in REDIS_URL',
    )
  }
  if (isNode === '0' && named) {
    throw new RemodelError(
      'unsupported',
      'this Redis is no node of a cluster: name it by redis://host:port in REDIS_URL',
    )
  }
}

/** An answer of Redis, not a lost connection: the command is unknown there or not permitted. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof Error && error.name === 'ReplyError' && /unknown command|NOPERM|not allowed/i.test(error.message)
  )
}
