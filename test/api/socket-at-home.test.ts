import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { answerAtHome } from '../../services/planner/http/socket-at-home.ts'
import { findPlanner } from '../../shared/api/address.ts'
import { readText, send } from '../../shared/api/transport.ts'

let home: string
const leaving: (() => Promise<void>)[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'remodel-place-'))
})

afterEach(async () => {
  for (const leave of leaving.splice(0)) await leave()
  await rm(home, { recursive: true, force: true })
})

async function planner(name: string): Promise<{ server: Server; leave(): Promise<void> }> {
  const server = createServer((_, response) => response.end(name))
  // No planner listens for TCP here: what the command finds, it finds at home.
  const leave = await answerAtHome(server, home, { url: 'http://127.0.0.1:1', pid: process.pid, planner: name })
  leaving.push(leave)
  return { server, leave }
}

/** What a killed planner leaves: the link to a socket on which no process listens any more. */
const kill = ({ server }: { server: Server }) => new Promise((resolve) => server.close(resolve))

/** Which planner answers the command of this home. */
const answering = async () => {
  const call = { method: 'GET', path: '/', headers: { connection: 'close' }, timeoutMs: 10_000 } as const
  return readText(await send(findPlanner(undefined, home), call))
}
const asked = () => answering().catch(() => 'none')
const named = () => JSON.parse(readFileSync(join(home, 'planner.json'), 'utf8')).planner

describe('of several planners in one home', () => {
  test('the newest answers the command, and the other one where that is killed', async () => {
    await planner('first')
    const second = await planner('second')
    expect([await asked(), named()]).toEqual(['second', 'second'])
    await kill(second)
    await expect.poll(asked, { timeout: 30_000 }).toBe('first')
    await expect.poll(named, { timeout: 30_000 }).toBe('first')
    expect((await stat(join(home, 'planner.sock'))).mode & 0o777).toBe(0o600)
  })

  test('another one takes the place when the one that has it leaves, and nothing is left of those that left', async () => {
    const first = await planner('first')
    const second = await planner('second')
    await second.leave()
    await expect.poll(asked, { timeout: 30_000 }).toBe('first')
    await expect.poll(named, { timeout: 30_000 }).toBe('first')
    await first.leave()
    expect(await readdir(home)).toEqual([])
  })

  test('one that leaves without having the place leaves it as it is', async () => {
    const first = await planner('first')
    await planner('second')
    await first.leave()
    expect([await asked(), named()]).toEqual(['second', 'second'])
  })

  test('the next one that starts sweeps away the sockets of those that were killed, and of no other', async () => {
    const names = ['planner.sock.1a', 'planner.sock.2b'].map((name) => join(home, name))
    const [dead, living] = await Promise.all(names.map((name) => listening(`${name}-draft`)))
    // A server that is closed in order takes the path along that it was given; a killed one does not.
    for (const name of names) await rename(`${name}-draft`, name)
    await kill({ server: dead! })
    expect(names.map(existsSync)).toEqual([true, true])
    await planner('next')
    expect(names.map(existsSync)).toEqual([false, true])
    await kill({ server: living! })
  })
})

async function listening(path: string): Promise<Server> {
  const server = createServer().listen(path)
  await once(server, 'listening')
  return server
}
