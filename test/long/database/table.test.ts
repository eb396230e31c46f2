import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Database, findDatabase } from '../../../kinds/database/cli/databases.ts'
import { temporaryFolder } from '../../../shared/runtime/temporary.ts'
import { remodel } from '../../cli/remodel.ts'
import { settled, startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { connect, deploy, documentOf, remove } from './support.ts'

let stack: TestStack
const net = await ownNet()
const wish = { net, nodes: { n1: 'ab', n2: 'c' } }

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 })
}, 120_000)

afterAll(() => stack.stop())

const run = (...args: string[]) =>
  remodel([...args, '--planner', stack.client().address.url], { env: { REMODEL_HOME: stack.home } })
const read = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout)
const server = (found: Database, name: string) =>
  found.nodes.flatMap(({ instances }) => instances).find(({ instance }) => instance === name)!

/** Host ids of the processes of PostgreSQL on a machine. */
async function serverProcesses(letter: string): Promise<number[]> {
  const below = (pid: number): number[] => {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
    return [pid, ...children.flatMap(below)]
  }
  const all = below(await machine(letter))
  return all.filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres')
}

async function machine(letter: string): Promise<number> {
  const file = join(stack.home, 'machines', 'vms', `db-shop-${letter}`, 'pid')
  return Number((await readFile(file, 'utf8')).split(' ')[0])
}

/** One database; each test goes on where the one before it ended. */
describe('the tables of databases', { timeout: 120_000 }, () => {
  test('say that there is none', async () => {
    expect(await run('databases')).toMatchObject({ code: 0, stdout: expect.stringContaining('There is no database') })
    expect(await read('databases')).toEqual([])
  })

  test('name nodes, instances, state, primaries and the last deploy of each', async () => {
    const plan = await deploy(stack.client(), wish)
    const { code, stdout } = await run('databases')
    expect(code).toBe(0)
    const [headings, row] = stdout.split('\n')
    expect(headings).toMatch(/^Name +Nodes +Instances +State +Primaries +Last deploy +When$/)
    expect(row).toMatch(new RegExp(`^shop +2 +3 +running +n1 on a, n2 on c +${plan} done +.* ago$`))
  })

  test('show each server with its host, its role, what it has and how far its readers are behind', async () => {
    const found: Database = await read('database', 'shop')
    expect(found).toMatchObject({ name: 'shop', database: 'shop', state: 'running', progress: null })
    expect(server(found, 'n1-a')).toMatchObject({
      addresses: [`127.${net}.0.1`],
      state: 'running',
      database: { node: 'n1', host: 'a', role: 'primary', lagBytes: null, peers: [{ node: 'n2' }] },
    })
    expect(server(found, 'n1-b').database).toMatchObject({ role: 'replica', lagBytes: expect.any(Number), peers: [] })
    expect(server(found, 'n1-b').database.receivedBytes).toBeGreaterThan(1e6)
    const { stdout } = await run('database', 'shop')
    expect(stdout).toMatch(/n1 +n1-b +b +\S+ +replica +running +\d/)
    expect(stdout).toMatch(/^shop: running\n2 nodes, 3 instances, PostgreSQL \d+\.\d+; last deploy \S+ done/)
    expect(server(found, 'n1-a').database).toMatchObject({
      waitingCommits: 0,
      version: expect.stringMatching(/^\d+\.\d+$/),
    })
    expect(
      server(found, 'n1-a')
        .database.slots.map(({ reader }) => reader)
        .sort(),
    ).toEqual(['n1-b', 'n2'])
    const { disk, startedAt } = server(found, 'n2-c').database
    expect(disk!.freeBytes).toBeGreaterThan(0)
    expect(disk!.totalBytes).toBeGreaterThanOrEqual(disk!.freeBytes)
    expect(startedAt).toBeGreaterThan(Date.now() - 3600_000)
  })

  test('name where clients connect, and psql opens a session there with its own exit code', async () => {
    const found: Database = await read('database', 'shop')
    const { uri } = await read('psql', 'shop', '--node', 'n2', '-U', 'ab')
    expect(uri).toMatch(new RegExp(`^postgresql://ab@127\\.${net}\\.0\\.3:\\d+/shop$`))
    const line = `n2: ${uri.replace('ab@', '')}`
    expect((await run('database', 'shop')).stdout.split('\n')).toContain(line)
    expect(found.nodes.map(({ lastBackupAt }) => lastBackupAt)).toEqual([null, null])
    expect(await run('psql', 'shop', '--node', 'n9')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('n1, n2'),
    })
    // Each computer has a psql of another version, or none: what it is given is what counts.
    await using bin = await temporaryFolder('remodel-psql')
    await writeFile(join(bin.path, 'psql'), '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n', { mode: 0o755 })
    const env = { REMODEL_HOME: stack.home, PATH: `${bin.path}:${process.env.PATH}` }
    const ran = await remodel(['psql', 'shop', '-U', 'ab', '--node', 'n2', '--', '-c', 'SELECT 1'], { env })
    expect(ran).toMatchObject({ code: 7, stdout: `-c\nSELECT 1\n${uri}\n` })
  })

  test('show that a peer is behind as long as it does not read, and that it is not when it has read', async () => {
    const behind = async () => server(await read('database', 'shop'), 'n1-a').database.peers[0]!
    const frozen = await serverProcesses('c')
    for (const pid of frozen) process.kill(pid, 'SIGSTOP')
    try {
      const writer = await connect(net, 'ab')
      await writer.query("INSERT INTO entry SELECT i, 'n1' FROM generate_series(1, 20000) i")
      await writer.end()
      const { lagBytes, lagSeconds, connected } = await behind()
      expect([lagBytes > 1e6, connected]).toEqual([true, true])
      // A reader that confirms nothing is never said to be behind by no time.
      expect(lagSeconds === null || lagSeconds > 0).toBe(true)
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT')
    }
    await vi.waitFor(async () => expect((await behind()).lagBytes).toBeLessThan(1e5), { timeout: 30_000 })
  })

  test('show a server that does not answer as such, in seconds, with all others', async () => {
    const frozen = await serverProcesses('c')
    for (const pid of frozen) process.kill(pid, 'SIGSTOP')
    try {
      const { code, stdout } = await run('database', 'shop')
      expect(code).toBe(0)
      expect(stdout).toMatch(/^shop: down\n {2}✗ n2 takes no writes: n2-c is unresponsive.*\n {6}next: remodel deploy/)
      expect(stdout).toMatch(/n2 +n2-c +c +\S+ +- +unresponsive +- +-/)
      expect((await run('databases')).stdout).toContain('shop: n2 takes no writes: n2-c is unresponsive')
      expect(stdout).toMatch(/n1 +n1-a +a +\S+ +primary +running/)
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT')
    }
  })

  test('show a machine that is gone as missing', async () => {
    process.kill(await machine('b'), 'SIGKILL')
    const found: Database = await read('database', 'shop')
    expect(found.state).toBe('failing')
    expect(server(found, 'n1-b')).toMatchObject({ state: 'missing', database: { role: null, host: 'b' } })
    await deploy(stack.client(), wish)
    expect((await read('database', 'shop')).state).toBe('running')
  })

  test('say which plan of how many runs', async () => {
    const client = stack.client()
    const changed = documentOf({ ...wish, settings: { max_connections: 70 } })
    const { plan } = await client.plan({ manifest: { name: 'shop.yml', content: changed } })
    const stages = [...new Set(plan.remodels.map(({ stage }) => stage))]
    expect(stages.length).toBeGreaterThan(1)
    await client.apply(plan.id, {})
    const seen = new Set<string>()
    const over = settled(client, plan.id).finally(() => seen.add('over'))
    while (!seen.has('over')) {
      const { progress } = await findDatabase('shop', client)
      if (progress) seen.add(`plan ${progress.plan} of ${progress.of}: ${progress.name}`)
      await sleep(50)
    }
    expect(await over).toBe('done')
    expect([...seen]).toContain(`plan 1 of ${stages.length}: ${stages[0]}`)
    expect((await findDatabase('shop', client)).progress).toBeNull()
  })

  test('refuse a name that is none, and name the nearest', async () => {
    for (const verb of ['database', 'instances']) {
      const { code, stderr } = await run(verb, 'shpo')
      expect(code).toBe(2)
      expect(stderr).toContain('shpo; did you mean shop?')
    }
    expect(JSON.parse((await run('database', 'shpo', '--json')).stderr).error).toMatchObject({ code: 'not-found' })
    expect((await run('database')).code).toBe(2)
  })

  test('forget a database that is removed', async () => {
    await remove(stack.client())
    expect(await read('databases')).toEqual([])
    expect((await run('database', 'shop')).code).toBe(2)
  })
})
