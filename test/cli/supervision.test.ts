import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { prepareHome, purgeHome } from '../../cli/stack/home.ts'
import { awaitRedis, freePort, redisCommand } from '../../cli/stack/redis.ts'
import { stopStack } from '../../cli/stack/stop.ts'
import { Supervised } from '../../cli/stack/supervised.ts'
import { claimUpFile, isAlive, markOf, readUpFile, type UpFile } from '../../cli/stack/up-file.ts'
import { temporaryFolder } from './remodel.ts'

const FOREVER = 'setInterval(() => {}, 1000); console.log("ready")'

describe('a supervised process', () => {
  test('is started again when it dies, and its words go to its log and to listeners', async () => {
    await using run = await supervise(FOREVER)
    await run.until(() => run.lines.includes('ready'))
    const first = run.process.pid ?? 0
    process.kill(first, 'SIGKILL')
    await run.until(() => run.lines.length === 2)
    expect(run.process.pid).not.toBe(first)
    expect(run.told).toEqual(['child was ended by SIGKILL; started again in 250 ms'])
    expect(await readFile(run.log, 'utf8')).toBe('ready\nready\n')
  })

  test('that keeps dying is given longer and longer pauses', async () => {
    await using run = await supervise('process.exit(7)')
    await run.until(() => run.process.deaths === 3)
    expect(run.told).toEqual([250, 500, 1000].map((pause) => `child ended with code 7; started again in ${pause} ms`))
  })

  test('that does not exist is reported and tried again', async () => {
    await using run = await supervise('', '/nonexistent/program')
    await run.until(() => run.process.deaths === 2)
    expect(run.told[0]).toContain('could not be started')
  })

  test('leaves when it is asked to and stays away', async () => {
    await using run = await supervise(`process.on("SIGTERM", () => process.exit(0)); ${FOREVER}`)
    await run.until(() => run.lines.includes('ready'))
    const mark = markOf(run.process.pid ?? 0)
    await run.process.stop(10_000)
    await setTimeout(400)
    expect(mark && isAlive(mark)).toBe(false)
    expect(run.told).toEqual([])
    expect(run.process.pid).toBeUndefined()
  })

  test('runs on while its log cannot be written, which is said once', async () => {
    const script = 'for (let i = 0; i < 5; i++) console.log(i); setInterval(() => {}, 1000)'
    await using run = await supervise(script, process.execPath, ['-e', script], '/dev/full')
    await run.until(() => run.lines.length === 5)
    expect(run.told).toEqual([expect.stringMatching(/^the log of child cannot be written: the disk is full$/)])
    expect(run.process.deaths).toBe(0)
  })

  test('that ignores being told is killed after its grace', async () => {
    await using run = await supervise(`process.on("SIGTERM", () => {}); ${FOREVER}`)
    await run.until(() => run.lines.includes('ready'))
    await run.process.stop(200)
    expect(run.told).toEqual(['child did not leave within 0.2 s and is killed'])
    expect(run.process.pid).toBeUndefined()
  })
})

describe('up.json', () => {
  test('can be claimed by one only', async () => {
    await using home = await temporaryFolder()
    const claims = await Promise.all(
      Array.from({ length: 8 }, () => claimUpFile(home.path, upFile({ pid: process.pid, began: 'x' }))),
    )
    expect(claims.filter(Boolean)).toHaveLength(1)
    expect(await readUpFile(home.path)).toMatchObject({ state: 'starting' })
  })

  test('does not take a process for one that had its id before', async () => {
    const mark = markOf(process.pid)
    if (!mark) throw new Error('this process has no mark')
    expect(isAlive(mark)).toBe(true)
    expect(isAlive({ ...mark, began: `${mark.began}0` })).toBe(false)
  })

  test('lets `down` end what a killed supervisor left running, and nothing that only has an old id', async () => {
    await using home = await temporaryFolder()
    const left = spawn(process.execPath, ['-e', FOREVER], { detached: true, stdio: 'ignore' })
    const mark = markOf(left.pid ?? 0)
    const own = markOf(process.pid)
    if (!mark || !own) throw new Error('no marks')
    const up = upFile({ pid: 2 ** 22 + 1, began: '1' })
    up.processes = [
      { name: 'planner', ...mark },
      { name: 'compiler-1', pid: own.pid, began: '1' },
    ]
    await claimUpFile(home.path, up)
    expect(await stopStack(home.path, () => {})).toBe(true)
    expect(isAlive(mark)).toBe(false)
    expect(await readUpFile(home.path)).toBeUndefined()
    expect(await stopStack(home.path, () => {})).toBe(false)
  })
})

describe('the Redis of `up`', () => {
  test('keeps what it has acknowledged when it is killed, and evicts nothing', async () => {
    await using folder = await temporaryFolder()
    const { Redis } = await import('ioredis')
    const port = await freePort()
    const url = `redis://127.0.0.1:${port}`
    await using run = await supervise('', ...redisCommand(port ?? 0, folder.path))
    await awaitRedis(url, 10_000)
    const redis = new Redis(url, { maxRetriesPerRequest: null })
    redis.on('error', () => {})
    try {
      await redis.set('kept', 'yes')
      expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
      process.kill(run.process.pid ?? 0, 'SIGKILL')
      await run.until(() => run.process.deaths === 1)
      await awaitRedis(url, 10_000)
      expect(await redis.get('kept')).toBe('yes')
    } finally {
      redis.disconnect()
    }
  })

  test('that does not answer in time is named by its address', async () => {
    await expect(awaitRedis('redis://:secret@127.0.0.1:1', 300)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^no Redis answers at redis:\/\/:\*\*\*@127\.0\.0\.1:1 /),
    })
  })
})

describe('a purge', () => {
  test('removes a home that `up` made, and refuses one that had other files', async () => {
    await using folder = await temporaryFolder()
    await prepareHome(folder.in('made'))
    await purgeHome(folder.in('made'))
    await expect(readFile(folder.in('made', '.remodel-home'))).rejects.toMatchObject({ code: 'ENOENT' })

    await mkdir(folder.in('mine'))
    await writeFile(folder.in('mine', 'thesis.txt'), 'x')
    await prepareHome(folder.in('mine'))
    await expect(purgeHome(folder.in('mine'))).rejects.toMatchObject({ code: 'conflict' })
    expect(await readFile(folder.in('mine', 'thesis.txt'), 'utf8')).toBe('x')
  })
})

function upFile(supervisor: UpFile['supervisor']): UpFile {
  return { state: 'starting', supervisor, since: 0, planner: null, redis: 'redis://127.0.0.1:1', processes: [] }
}

async function supervise(script: string, command = process.execPath, args = ['-e', script], logFile?: string) {
  const folder = await temporaryFolder()
  const lines: string[] = []
  const told: string[] = []
  const log = logFile ?? folder.in('child.log')
  const supervised = new Supervised(() => ({ name: 'child', command, args, env: process.env, cwd: '/', log }), {
    line: (_name, line) => lines.push(line),
    tell: (sentence) => told.push(sentence),
    changed() {},
  })
  supervised.start()
  return {
    process: supervised,
    lines,
    told,
    log,
    async until(reached: () => boolean) {
      const deadline = Date.now() + 10_000
      while (!reached()) {
        if (Date.now() > deadline) throw new Error(`not reached; told: ${told.join('; ')}`)
        await setTimeout(10)
      }
    },
    async [Symbol.asyncDispose]() {
      await supervised.stop(1000)
      await folder[Symbol.asyncDispose]()
    },
  }
}
