import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { prepareHome } from '../../cli/stack/home.ts'
import { claimUpFile, isAlive, markOf, readUpFile, type UpFile } from '../../cli/stack/up-file.ts'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import { BINARY, remodel, temporaryFolder } from './remodel.ts'

const PROVIDER = new URL('../../shared/provider/local/index.ts', import.meta.url).href

describe('up', { timeout: 90_000 }, () => {
  test('--detach runs everything until down, which leaves the data and no process', async () => {
    await using home = await upHome()
    const started = await remodel(
      ['up', '--detach', '--port', '0', '--compilers', '1', '--assemblers', '1', '--json'],
      home,
    )
    expect(started).toMatchObject({ code: 0, stderr: '' })
    const up = await home.read()
    expect(JSON.parse(started.stdout)).toMatchObject({ planner: up.planner, redis: up.redis, pid: up.supervisor.pid })
    expect(up.processes.map((one) => one.name)).toEqual(['redis', 'planner', 'compiler-1', 'assembler-1'])
    expect(JSON.parse((await remodel(['version', '--json'], home)).stdout).planner).toMatchObject({
      name: 'remodel',
      url: up.planner,
    })

    const again = await remodel(['up', '--detach'], home)
    expect(again.code).toBe(1)
    expect(again.stderr).toContain(`Remodel is up already at ${up.planner} (process ${up.supervisor.pid})`)

    expect(await remodel(['down'], home)).toMatchObject({ code: 0, stdout: 'Remodel is down.\n' })
    expect([up.supervisor, ...up.processes].filter(isAlive)).toEqual([])
    expect(await readUpFile(home.path)).toBeUndefined()
    expect((await stat(home.in('redis'))).isDirectory()).toBe(true)

    expect(await remodel(['down', '--purge'], home)).toMatchObject({ code: 0 })
    await expect(stat(home.path)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('starts a killed planner again, at the same address and with the same data', async () => {
    await using home = await upHome()
    await remodel(['up', '--detach', '--port', '0', '--compilers', '0', '--assemblers', '0'], home)
    const before = await home.read()
    await remodel(['upload-stemcell', '--light', '--name', 'host', '--os', 'debian', '--version', '12'], home)
    for (const name of ['planner', 'redis']) {
      const victim = before.processes.find((one) => one.name === name)
      process.kill(victim?.pid ?? 0, 'SIGKILL')
    }
    await until(async () => (await remodel(['stemcells', '--json'], home)).stdout.includes('debian'))
    const after = await home.read()
    expect(after.planner).toBe(before.planner)
    expect(after.processes.map((one) => one.name)).toEqual(['redis', 'planner'])
    expect(after.processes.some((one) => before.processes.some((old) => old.pid === one.pid))).toBe(false)
  })

  test('in the foreground stops everything in order on one Ctrl-C', async () => {
    await using home = await upHome()
    const foreground = home.foreground()
    await until(async () => (await readUpFile(home.path))?.state === 'up')
    const up = await home.read()
    foreground.kill('SIGINT')
    expect(await ended(foreground)).toBe(0)
    expect(up.processes.filter(isAlive)).toEqual([])
    expect(await readUpFile(home.path)).toBeUndefined()
  })

  test('after its supervisor was killed takes over: leftovers end, and data goes on', async () => {
    await using home = await upHome()
    const foreground = home.foreground()
    await until(async () => (await readUpFile(home.path))?.state === 'up')
    const up = await home.read()
    foreground.kill('SIGKILL')
    await ended(foreground)
    expect(up.processes.some(isAlive)).toBe(true)
    expect((await remodel(['up', '--detach', '--port', '0', '--compilers', '0', '--assemblers', '0'], home)).code).toBe(
      0,
    )
    expect(up.processes.filter(isAlive)).toEqual([])
  })

  test('refuses a port that is taken and leaves nothing running', async () => {
    await using home = await upHome()
    await using other = await upHome()
    await remodel(['up', '--detach', '--port', '0', '--compilers', '0', '--assemblers', '0'], other)
    const port = new URL((await other.read()).planner ?? '').port
    const ran = await remodel(['up', '--port', port], home)
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain(`port ${port} is taken`)
    expect(await readUpFile(home.path)).toBeUndefined()
  })

  test('names a Redis that does not answer, without its password', async () => {
    await using home = await upHome()
    const ran = await remodel(['up'], {
      env: { ...home.env, REDIS_URL: 'redis://:secret@127.0.0.1:1', REMODEL_READY_SECONDS: '1' },
    })
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain('no Redis answers at redis://:***@127.0.0.1:1')
    expect(await readUpFile(home.path)).toBeUndefined()
  })
})

describe('down --purge', { timeout: 90_000 }, () => {
  test('keeps a home whose machines still belong to a deployment, though no planner knows of it', async () => {
    await using home = await upHome()
    await remodel(['up', '--detach', '--port', '0', '--compilers', '0', '--assemblers', '0'], home)
    const provider = new LocalProvider({ directory: home.in('machines') })
    const ownership = { owner: 'deployment/forgotten', purpose: 'disk/db/0' }
    await provider.createDisk({ id: 'd1', sizeMiB: 1, ownership }, { scope: 'forgotten:disk/db/0', number: 1 })
    const refusal = { code: 1, stderr: expect.stringContaining('forgotten still has machines or disks') }
    expect(await remodel(['down', '--purge'], home)).toMatchObject(refusal)
    await remodel(['down'], home)
    expect(await remodel(['down', '--purge'], home)).toMatchObject(refusal)
    expect(await remodel(['down', '--purge', '--force'], home)).toMatchObject({ code: 0 })
  })

  test('keeps a home in which something was still made while it went down, and ends machines of compilers that are gone', async () => {
    await using home = await upHome()
    await prepareHome(home.path)
    await using making = await supervisorThatMakes(home.in('machines'))
    await claimUpFile(home.path, { ...nothingUp, supervisor: markOf(making.pid)! })
    const refusal = { code: 1, stderr: expect.stringContaining('late still has machines or disks') }
    expect(await remodel(['down', '--purge'], home)).toMatchObject(refusal)

    const provider = new LocalProvider({ directory: home.in('machines') })
    await provider.deleteDisk('d1', null)
    const stemcell = await provider.importStemcell({ name: 'host', version: '1' })
    const request = { id: 'c1', stemcell, addresses: [], network: 'none' as const, resources: {} }
    const ownership = { owner: 'compiler/gone', purpose: 'compile' }
    await provider.createVm({ ...request, ownership }, { scope: 'compile', number: 1 })
    const connection = await provider.connect('c1', null)
    const left = connection.exec(['sleep', '1000']).catch((error: unknown) => error)
    expect(await remodel(['down', '--purge'], home)).toMatchObject({ code: 0 })
    expect(await left).toMatchObject({ code: 'infrastructure' })
    connection.close()
    await expect(stat(home.path)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

const nothingUp = { state: 'up' as const, since: 1, planner: null, redis: 'redis://127.0.0.1:1', processes: [] }

/** Stands for an `up` that, when it is asked to stop, still carries out its work. */
async function supervisorThatMakes(directory: string): Promise<AsyncDisposable & { pid: number }> {
  const script = `import { LocalProvider } from ${JSON.stringify(PROVIDER)}
    process.once('SIGTERM', async () => {
      const ownership = { owner: 'deployment/late', purpose: 'disk/db/0' }
      const fence = { scope: 'late:disk/db/0', number: 1 }
      await new LocalProvider({ directory: ${JSON.stringify(directory)} }).createDisk({ id: 'd1', sizeMiB: 1, ownership }, fence)
      process.exit()
    })
    setInterval(() => {}, 1000)
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return {
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended(child)
    },
  }
}

/** A home of its own; at the end everything that runs in it is stopped and it is removed. */
async function upHome() {
  const folder = await temporaryFolder()
  const path = folder.in('home')
  const env = { REMODEL_HOME: path }
  return {
    path,
    env,
    in: (...parts: string[]) => folder.in('home', ...parts),
    async read(): Promise<UpFile> {
      const up = await readUpFile(path)
      if (!up) throw new Error('nothing is up')
      return up
    },
    foreground(): ChildProcess {
      const { REDIS_URL: _redis, ...rest } = process.env
      return spawn(BINARY, ['up', '--port', '0', '--compilers', '0', '--assemblers', '0'], {
        env: { ...rest, ...env },
        stdio: 'ignore',
      })
    },
    async [Symbol.asyncDispose]() {
      await remodel(['down'], { env })
      await folder[Symbol.asyncDispose]()
    },
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 40_000
  while (!(await reached())) {
    if (Date.now() > deadline) throw new Error('not reached within 40 s')
    await setTimeout(50)
  }
}
