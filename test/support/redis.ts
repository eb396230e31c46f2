import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  stop(): Promise<void>
}

export async function startRedis(settings: string[] = []): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'remodel-redis-'))
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const start = async () => {
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
        ...settings,
      ],
      { stdio: 'ignore' },
    )
    const probe = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null })
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
    stop: async () => {
      await kill('SIGKILL')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
