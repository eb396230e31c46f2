import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { RemodelError } from '../../shared/errors.ts'
import { connectRedis } from '../../shared/redis.ts'
import { withoutPassword } from '../address.ts'

/** Arguments of a Redis that loses nothing it has acknowledged, reachable from this machine only. */
function redisArguments(port: number, directory: string): string[] {
  return [
    ...['--bind', '127.0.0.1'],
    ...['--port', String(port)],
    ...['--dir', directory],
    ...['--appendonly', 'yes'],
    ...['--appendfsync', 'always'],
    ...['--maxmemory-policy', 'noeviction'],
    ...['--save', ''],
    ...['--daemonize', 'no'],
  ]
}

/**
 * Mends the end of the append-only file, then becomes the server. Redis 7 loads a file that ends in the middle of a
 * transaction, but keeps the torn part and carries it out at its next start.
 */
const start = `f=$(ls "$0"/appendonlydir/*.incr.aof 2>/dev/null | tail -n 1)
if [ -n "$f" ] && command -v redis-check-aof >/dev/null; then echo y | redis-check-aof --fix "$f"; fi
exec redis-server "$@"`

/** Command and arguments of Redis for a supervisor: safe to run again after any crash. */
export function redisCommand(port: number, directory: string): [command: string, args: string[]] {
  return ['/bin/sh', ['-c', start, directory, ...redisArguments(port, directory)]]
}

/** Throws `unsupported` where there is no redis-server on this machine. */
export async function requireRedisServer(): Promise<void> {
  await promisify(execFile)('redis-server', ['--version']).catch((error) => {
    throw new RemodelError(
      'unsupported',
      'redis-server is not on this machine: install it (`apt-get install redis-server`), or name a running Redis with REDIS_URL',
      { cause: error },
    )
  })
}

/** Waits until a Redis answers and has loaded its data. Throws `unavailable` that names its address. */
export async function awaitRedis(url: string, timeoutMs: number): Promise<void> {
  const redis = connectRedis({ url, prefix: '' }, 'service', { lazyConnect: true, retryStrategy: () => 50 })
  let last: Error | undefined
  redis.on('error', (error) => {
    last = error
  })
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const why = last ? ` (${last.message})` : ''
    late.reject(
      new RemodelError('unavailable', `no Redis answers at ${withoutPassword(url)} within ${timeoutMs / 1000} s${why}`),
    )
  }, timeoutMs)
  try {
    const ready = new Promise<void>((resolve) => redis.once('ready', () => resolve()))
    redis.connect().catch(() => {})
    await Promise.race([ready, late.promise])
  } finally {
    clearTimeout(timer)
    redis.disconnect()
  }
}

/** A port on the loopback interface that nobody listens on now. */
export function freePort(wanted = 0): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  const server = createServer()
  server.once('error', () => resolve(undefined))
  server.listen(wanted, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined))
  })
  return promise
}
