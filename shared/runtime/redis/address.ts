import type { RedisOptions } from 'ioredis'
import { RemodelError } from '../errors.ts'
import type { ClusterAddress } from './cluster.ts'

const usualPort = 6379
const usualSentinelPort = 26_379

/**
 * A Redis that REDIS_URL names: one server, the primary of a group that Sentinels watch over, or
 * the nodes of a cluster.
 */
export type RedisAddress =
  | { url: string; shown: string }
  | { sentinel: Omit<RedisOptions, 'replyMapping'>; shown: string }
  | { cluster: ClusterAddress; shown: string }

/**
 * Reads `redis://[user:password@]host[:port][/db]` (`rediss://` for TLS),
 * `redis+cluster://[user:password@]host[:port],host[:port]` (`rediss+cluster://`): some nodes of a Redis Cluster, or
 * `redis+sentinel://[user:password@]host[:port],host[:port]/name[/db]` (`rediss+sentinel://`): the hosts are the
 * Sentinels', the user and the password Redis' own; `?sentinel-password=` is that of the Sentinels. Throws
 * `invalid-input`, without the password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const parts = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/?]*)(\/[^?]*)?(\?.*)?$/.exec(url)
  if (!parts) throw wrong('is no address of a Redis')
  const [, scheme, group, user = '', hosts = '', path = '', query = ''] = parts
  const servers = hosts.split(',').map((host) => serverOf(host, group === 'sentinel' ? usualSentinelPort : usualPort))
  const shown = servers.map(({ host, port }) => `${host}:${port}`).join(',')
  const [username, password] = credentials(user)
  const login = { ...(username ? { username } : {}), ...(password ? { password } : {}) }
  if (!group) {
    if (servers.length > 1)
      throw wrong(
        'names several servers: write redis+sentinel://host,host/name for Sentinels, redis+cluster://host,host for a cluster',
      )
    return { url, shown }
  }
  if (group === 'cluster') {
    if (!/^\/?0?$/.test(path))
      throw wrong(`has ${JSON.stringify(path)} after its hosts: a Redis Cluster has no other database`)
    return { cluster: { nodes: servers, access: { ...login, ...(scheme === 'rediss' ? { tls: {} } : {}) } }, shown }
  }
  const [name = '', db = ''] = path.slice(1).split('/')
  if (name === '') throw wrong('lacks the name of the group that the Sentinels watch: redis+sentinel://host,host/name')
  if (!/^\d*$/.test(db)) throw wrong(`has ${JSON.stringify(db)} for the number of a database`)
  const sentinelPassword = new URLSearchParams(query).get('sentinel-password')
  return {
    sentinel: {
      sentinels: servers,
      name: decodeURIComponent(name),
      role: 'master',
      ...(db === '' ? {} : { db: Number(db) }),
      ...login,
      ...(sentinelPassword ? { sentinelPassword } : {}),
      ...(scheme === 'rediss' ? { tls: {}, enableTLSForSentinelMode: true } : {}),
      // A Sentinel that is away is passed over quickly; asked again in turn until one knows a primary.
      sentinelRetryStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 1000),
    },
    shown: `${name} by ${shown}`,
  }
}

function serverOf(text: string, otherwise: number): { host: string; port: number } {
  const parts = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]\s]*)(?::(\d{1,5}))?$/.exec(text)
  const host = parts?.[1] === '' ? '127.0.0.1' : parts?.[1]
  if (host === undefined) throw wrong('has a host that is none')
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(parts?.[2] ?? otherwise) }
}

function credentials(text: string): [username: string, password: string] {
  const colon = text.indexOf(':')
  const [username, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  return [decodeURIComponent(username), decodeURIComponent(password)]
}

function wrong(what: string): RemodelError {
  return new RemodelError('invalid-input', `REDIS_URL ${what}`)
}
