import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** A redis-server of the test's own, set as Remodel wants it. */
export interface TestRedis {
  url: string
  port: number
  pid(): number
  /** Starts it again on the same data after `kill`. */
  restart(): Promise<void>
  kill(signal: NodeJS.Signals): Promise<void>
  /** Remembers what is there now; the answer makes it come back as it was then. */
  remember(): Promise<() => Promise<void>>
  /**
   * A replica takes over under the same port, and the primary is killed. What the primary acknowledged in the `lostMs`
   * before its end is lost: that is what asynchronous replication may lose.
   */
  promoteReplica(lostMs: number): Promise<void>
  stop(): Promise<void>
}

export async function startRedis(settings: string[] = [], env: Record<string, string> = {}): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'remodel-redis-'))
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const chosen = settings.lastIndexOf('--dir')
  const data = chosen < 0 ? directory : settings[chosen + 1]!
  const start = async (more: string[] = [], at = port) => {
    const child = spawn(
      'redis-server',
      [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        directory,
        '--save',
        '',
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
        // A primary counts this delay by its clock, which a test may set back.
        '--repl-diskless-sync-delay',
        '0',
        ...settings,
        ...more,
      ],
      { stdio: 'ignore', env: { ...process.env, ...env } },
    )
    const probe = new Redis(at, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null })
    probe.on('error', () => {})
    await probe.ping()
    probe.disconnect()
    return child
  }
  let child = await start()
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  return {
    url,
    port,
    pid: () => child.pid!,
    kill,
    restart: async () => {
      await kill('SIGKILL')
      child = await start()
    },
    remember: async () => {
      const copy = `${directory}/remembered`
      await cp(`${directory}/appendonlydir`, copy, { recursive: true })
      return async () => {
        await kill('SIGKILL')
        await rm(`${directory}/appendonlydir`, { recursive: true })
        await cp(copy, `${directory}/appendonlydir`, { recursive: true })
        child = await start()
      }
    },
    promoteReplica: async (lostMs) => {
      const [copy, other] = [`${data}-replica`, await freePort()]
      await mkdir(copy)
      const following = ['--port', `${other}`, '--dir', copy, '--replicaof', `127.0.0.1 ${port}`]
      const replica = await start(following, other)
      const redis = new Redis(other, '127.0.0.1')
      const until = performance.now() + 60_000
      while (!(await redis.info('replication')).includes('master_link_status:up')) {
        if (performance.now() > until) throw new Error('the replica of Redis does not follow')
        await sleep(20)
      }
      await redis.call('REPLICAOF', 'NO', 'ONE')
      await sleep(lostMs)
      await kill('SIGKILL')
      child = replica
      // The place of its data is the primary's from now on: it holds its folder open, under whatever name.
      await rm(data, { recursive: true })
      await rename(copy, data)
      while (
        !(await redis.config('SET', 'port', `${port}`).then(
          () => true,
          () => false,
        ))
      )
        await sleep(20)
      redis.disconnect()
    },
    stop: async () => {
      await kill('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A port without a listener now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
