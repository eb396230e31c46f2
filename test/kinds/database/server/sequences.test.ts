import { afterAll, beforeAll, expect, test } from 'vitest'
import { shareSequences, unsharedOf } from '../../../../kinds/database/postgres/sequences.ts'
import type { Session } from '../../../../kinds/database/postgres/server.ts'
import { openAsClient, startPostgres, type TestServer } from '../postgres.ts'

let server: TestServer
const sessions: Record<string, Session> = {}
const nodes = ['n1', 'n2', 'n9']

/** Each node is a database of its own: what they send each other does not matter here. */
beforeAll(async () => {
  server = await startPostgres()
  const first = await openAsClient(server.host, server.at, 'postgres')
  for (const node of nodes) {
    await first.query(`CREATE DATABASE ${node}`)
    sessions[node] = await openAsClient(server.host, server.at, node)
  }
  await first.close()
}, 60_000)
afterAll(async () => {
  for (const session of Object.values(sessions)) await session.close()
  server.stop()
})

const on = (node: string) => sessions[node]!
async function everywhere(...statements: string[]): Promise<void> {
  for (const node of nodes) for (const statement of statements) await on(node).query(statement)
}
async function shareAll(): Promise<void> {
  for (const node of nodes) await shareSequences(on(node), node)
}
/** Node -> numbers that it draws. */
async function drawn(sequence: string, count = 40): Promise<number[][]> {
  return Promise.all(
    nodes.map(async (node) => {
      const rows = await on(node).query(`SELECT nextval('${sequence}')::int AS id FROM generate_series(1, ${count})`)
      return rows.map(({ id }) => Number(id))
    }),
  )
}

test.each([
  ['serial', 'CREATE TABLE a (id serial PRIMARY KEY)', 'a_id_seq'],
  ['bigserial of an odd name', 'CREATE TABLE "B c" ("Id" bigserial PRIMARY KEY)', '"B c_Id_seq"'],
  ['smallserial', 'CREATE TABLE c (id smallserial PRIMARY KEY)', 'c_id_seq'],
  ['identity', 'CREATE TABLE d (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)', 'd_id_seq'],
  ['a sequence with bounds of its own', 'CREATE SEQUENCE e MINVALUE 1000 MAXVALUE 9000 START 5000', 'e'],
  ['a sequence below zero', 'CREATE SEQUENCE f MINVALUE -500 START -500', 'f'],
  ['a sequence whose next number was set', `CREATE SEQUENCE g; SELECT setval('g', 77, false)`, 'g'],
])('%s draws other numbers on each node', async (_, statement, sequence) => {
  await everywhere(...statement.split('; '))
  expect((await unsharedOf(on('n1'), 'n1')).length).toBe(1)
  await shareAll()
  const all = (await drawn(sequence)).flat()
  expect(new Set(all).size).toBe(all.length)
  for (const node of nodes) expect(await unsharedOf(on(node), node)).toEqual([])
})

test('a node that is a copy of another one draws numbers that neither has drawn', async () => {
  const before = await drawn('a_id_seq')
  const last = Math.max(...before[0]!)
  // As the copy has it: what its source drew last.
  await on('n9').query(`SELECT setval('a_id_seq', ${last})`)
  expect(await unsharedOf(on('n9'), 'n9')).toEqual(['public.a_id_seq'])
  await shareSequences(on('n9'), 'n9')
  const later = await drawn('a_id_seq')
  const all = [...before.slice(0, 2), ...later].flat()
  expect(new Set(all).size).toBe(all.length)
})

test('a table that was filled before goes on behind its rows, and behind those that are on their way', async () => {
  await everywhere('CREATE TABLE h (id serial PRIMARY KEY)')
  // Most of the rows came from other nodes: the node's own sequence is far behind them.
  for (const [at, node] of nodes.entries()) {
    await on(node).query(`INSERT INTO h SELECT g FROM generate_series(1, ${3000 + at}) g`)
    await on(node).query(`SELECT setval('h_id_seq', 100)`)
  }
  await shareAll()
  for (const numbers of await drawn('h_id_seq')) expect(Math.min(...numbers)).toBeGreaterThan(3500)
})

test('what begins anew begins with a number of the node', async () => {
  await everywhere('TRUNCATE d RESTART IDENTITY')
  const all = (await drawn('d_id_seq')).flat()
  expect(new Set(all).size).toBe(all.length)
  for (const node of nodes) expect(await unsharedOf(on(node), node)).toEqual([])
})

test('a sequence with a rule of its own, or without room, is left alone', async () => {
  await everywhere(
    'CREATE SEQUENCE by_ten INCREMENT BY 10',
    'CREATE SEQUENCE down INCREMENT BY -1',
    'CREATE SEQUENCE round MAXVALUE 5 CYCLE',
    'CREATE SEQUENCE small MAXVALUE 20',
    'CREATE TEMPORARY SEQUENCE mine',
  )
  expect(await unsharedOf(on('n1'), 'n1')).toEqual([])
  await shareSequences(on('n1'), 'n1')
  expect(await on('n1').value(`SELECT nextval('by_ten')::int + nextval('round')::int + nextval('small')::int`)).toBe(3)
})

test('numbers that are drawn meanwhile are drawn once', async () => {
  await everywhere('CREATE TABLE k (id serial PRIMARY KEY, by text)')
  const writer = await openAsClient(server.host, server.at, 'n2')
  let over = false
  const writing = (async () => {
    while (!over) await writer.query(`INSERT INTO k (by) VALUES ('writer')`)
  })()
  await expect.poll(() => on('n2').value('SELECT count(*)::int FROM k'), { timeout: 60_000 }).toBeGreaterThan(20)
  await shareSequences(on('n2'), 'n2')
  const shared = Number(await on('n2').value('SELECT max(id) FROM k'))
  await expect.poll(() => on('n2').value('SELECT max(id) FROM k'), { timeout: 60_000 }).toBeGreaterThan(shared + 16)
  over = true
  await writing
  await writer.close()
  expect(await on('n2').value(`SELECT count(*)::int FROM k WHERE id > ${shared} AND id % 16 <> 2`)).toBe(0)
  expect(await unsharedOf(on('n2'), 'n2')).toEqual([])
})
