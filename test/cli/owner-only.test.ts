import { execFile } from 'node:child_process'
import { chmodSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readUpFile, type UpFile } from '../../cli/stack/up-file.ts'
import { remodel, temporaryFolder } from './remodel.ts'

const run = promisify(execFile)
const root = process.getuid?.() === 0

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let home: string
let env: NodeJS.ProcessEnv
let up: UpFile
let url: string
let said: string

beforeAll(async () => {
  folder = await temporaryFolder()
  // Others may pass through to the home, so only the home itself can keep them out.
  chmodSync(folder.path, 0o755)
  home = folder.in('home')
  mkdirSync(home)
  chmodSync(home, 0o755)
  // As an earlier version left it.
  mkdirSync(folder.in('home', 'blobs'))
  writeFileSync(folder.in('home', 'blobs', 'old'), 's3cr3t-PASSWORD', { mode: 0o444 })
  // The home's own token, not the one that tests have in common.
  env = { REMODEL_HOME: home, REMODEL_TOKEN: '' }
  const started = await remodel(['up', '--detach', '--port', '0', '--compilers', '1', '--assemblers', '1'], { env })
  expect(started.code, started.stderr).toBe(0)
  said = started.stdout + started.stderr
  up = (await readUpFile(home))!
  url = readFileSync(folder.in('home', 'redis-url'), 'utf8').trim()
}, 90_000)
afterAll(async () => {
  await remodel(['down'], { env })
  await folder[Symbol.asyncDispose]()
}, 60_000)

const password = () => new URL(url).password

/** What another user of this computer gets. */
async function asNobody(...command: string[]): Promise<string> {
  const { stdout, stderr } = await run('setpriv', [
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    ...command,
  ]).catch((error: { stdout: string; stderr: string }) => error)
  return stdout + stderr
}

describe('what `up` makes', () => {
  test('closes a home that was open, and says so', () => {
    expect(statSync(home).mode & 0o777).toBe(0o700)
    expect(said).toContain(`${home} was open to other users (mode 755)`)
  })

  test('has secrets in files of its owner only', () => {
    for (const name of ['up.json', 'token', 'redis-url', 'redis/password.conf', 'planner.sock'])
      expect([name, statSync(folder.in('home', name)).mode & 0o777]).toEqual([name, 0o600])
    for (const name of globSync(`${home}/blobs/**`, { withFileTypes: true }).filter(
      (one) => one.isFile() && one.name !== 'old',
    ))
      expect([name.name, statSync(`${name.parentPath}/${name.name}`).mode & 0o077]).toEqual([name.name, 0])
  })

  test('asks for a password at its Redis, which is in no argument, no environment, no log and no output', async () => {
    const { stdout } = await run('redis-cli', ['-p', new URL(url).port, 'keys', '*'])
    expect(stdout).toContain('NOAUTH')
    const known = new Redis(url)
    expect(await known.ping()).toBe('PONG')
    expect(await known.config('GET', 'appendfsync')).toEqual(['appendfsync', 'always'])
    known.disconnect()
    for (const { pid, name } of [...up.processes, { ...up.supervisor, name: 'up' }]) {
      for (const file of ['cmdline', 'environ'])
        expect([name, file, readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(password())]).toEqual([
          name,
          file,
          false,
        ])
    }
    for (const log of globSync(`${home}/log/*`))
      expect([log, readFileSync(log, 'utf8').includes(password())]).toEqual([log, false])
    expect(said).not.toContain(password())
    expect(readFileSync(folder.in('home', 'up.json'), 'utf8')).not.toContain(password())
  })

  test('gives variables for programs of one’s own where they are asked for', async () => {
    const { stdout } = await run('/bin/sh', [
      '-c',
      `${(await remodel(['env'], { env })).stdout}\necho "$REMODEL_HOME $REDIS_URL"`,
    ])
    expect(stdout.trim()).toBe(`${home} ${url}`)
  })
})

describe('the command', () => {
  test('finds the planner of its home by its socket, and by its address with the token', async () => {
    expect((await remodel(['deployments'], { env })).code).toBe(0)
    expect((await remodel(['deployments', '--planner', up.planner!], { env })).code).toBe(0)
    const token = readFileSync(folder.in('home', 'token'), 'utf8').trim()
    const elsewhere = { REMODEL_URL: up.planner!, REMODEL_TOKEN: token }
    expect((await remodel(['deployments'], { env: elsewhere })).code).toBe(0)
    const stranger = await remodel(['deployments'], { env: { REMODEL_URL: up.planner!, REMODEL_TOKEN: '' } })
    expect(stranger).toMatchObject({ code: 1, stderr: expect.stringContaining('the planner answers its own socket') })
  })

  test('prints a link that opens the board once', async () => {
    const link = (await remodel(['board'], { env })).stdout.trim()
    expect(link).toMatch(new RegExp(`^${up.planner}/board/enter\\?key=`))
    const entered = await fetch(link)
    expect(entered.status).toBe(200)
    const cookie = entered.headers.get('set-cookie')?.split(';')[0] ?? ''
    expect((await fetch(`${up.planner}/board`, { headers: { cookie } })).status).toBe(200)
    expect((await fetch(link)).status).toBe(401)
  })
})

describe.runIf(root)('another user of this computer', () => {
  test('gets nothing: not the home, not its blobs, not the socket, not the API, not Redis', async () => {
    expect(
      await asNobody('cat', `${home}/blobs/old`, `${home}/token`, `${home}/up.json`, `${home}/redis-url`),
    ).not.toMatch(/s3cr3t|redis:|[\w-]{43}\n/)
    expect(await asNobody('ls', home)).toContain('Permission denied')
    const ask = `fetch('${up.planner}/v1/info').then(a => console.log(a.status))`
    expect(await asNobody(process.execPath, '-e', ask)).toBe('401\n')
    const dial = `require('net').connect('${home}/planner.sock').on('error', e => console.log(e.code)).on('connect', () => console.log('in'))`
    expect(await asNobody(process.execPath, '-e', dial)).toBe('EACCES\n')
    expect(await asNobody('redis-cli', '-p', String(new URL(url).port), 'keys', '*')).toContain('NOAUTH')
    for (const { pid } of up.processes)
      expect(await asNobody('cat', `/proc/${pid}/environ`)).toContain('Permission denied')
  })
})
