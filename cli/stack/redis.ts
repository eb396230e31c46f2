import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { withoutPassword } from '../../shared/api/address.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { connectRedis, redisAddressFile } from '../../shared/runtime/redis.ts'
import { reasonOf } from '../../shared/runtime/system-error.ts'

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
 * Draws a new password for the Redis of a home; answers the file that tells it to the server, and the address
 * with it, which is also where services of this home look for it. Files for their owner only: arguments of
 * processes can be seen by others.
 */
export async function drawPassword(home: string, port: number): Promise<{ file: string; url: string }> {
  const password = randomBytes(24).toString('hex')
  const url = `redis://:${password}@127.0.0.1:${port}`
  const file = join(home, 'redis', 'password.conf')
  await writeSecret(file, `requirepass ${password}\n`)
  await writeSecret(redisAddressFile(home), `${url}\n`)
  return { file, url }
}

async function writeSecret(path: string, content: string): Promise<void> {
  const draft = `${path}.${process.pid}`
  await rm(draft, { force: true })
  await writeFile(draft, content, { mode: 0o600, flag: 'wx' })
  await rename(draft, path)
}

/**
 * Mends the end of the append-only file, then becomes the server. Redis 7 loads a file that ends in the middle of a
 * transaction, but keeps the torn part and carries it out at its next start.
 */
const start = `f=$(ls "$0"/appendonlydir/*.incr.aof 2>/dev/null | tail -n 1)
if [ -n "$f" ] && command -v redis-check-aof >/dev/null; then echo y | redis-check-aof --fix "$f"; fi
exec redis-server "$@"`

/**
 * Command and arguments of Redis for a supervisor: safe to run again after any crash. `file`: further
 * settings, secret ones.
 */
export function redisCommand(port: number, directory: string, file?: string): [command: string, args: string[]] {
  const secret = file === undefined ? [] : [file]
  return ['/bin/sh', ['-c', start, directory, ...secret, ...redisArguments(port, directory)]]
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

/** After this long without an answer, the command says what it waits for. */
const silentMs = 2000

/**
 * Waits until a Redis answers and has loaded its data, and tells it where that takes a while. Throws `unavailable`
 * that names its address.
 */
export async function awaitRedis(
  url: string,
  timeoutMs: number,
  waiting: (sentence: string) => void = () => {},
): Promise<void> {
  const redis = connectRedis({ url, prefix: '' }, 'service', { lazyConnect: true, retryStrategy: () => 50 })
  let last: Error | undefined
  redis.on('error', (error) => {
    last = error
  })
  const late = Promise.withResolvers<never>()
  const [place, limit] = [withoutPassword(url), `${timeoutMs / 1000} s`]
  const why = () => (last ? ` (${reasonOf(last)})` : '')
  const silent = setTimeout(() => waiting(`waiting up to ${limit} for Redis at ${place}${why()}`), silentMs)
  const timer = setTimeout(() => {
    late.reject(new RemodelError('unavailable', `no Redis answers at ${place} within ${limit}${why()}`))
  }, timeoutMs)
  try {
    const ready = new Promise<void>((resolve) => redis.once('ready', () => resolve()))
    redis.connect().catch(() => {})
    await Promise.race([ready, late.promise])
  } finally {
    clearTimeout(silent)
    clearTimeout(timer)
    redis.disconnect()
  }
}

/** A port on the loopback interface without a listener now. */
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
