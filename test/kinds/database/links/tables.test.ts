import { afterAll, beforeAll, expect, test } from 'vitest'
import { tablesOf } from '../../../../kinds/database/postgres/links/tables.ts'
import type { Session } from '../../../../kinds/database/postgres/server.ts'
import { openAsClient, startPostgres, type TestServer } from '../postgres.ts'

let server: TestServer
let session: Session
beforeAll(async () => {
  server = await startPostgres({ wal_level: 'logical' })
  session = await openAsClient(server.host, server.at, 'postgres')
}, 60_000)
afterAll(async () => {
  await session.close()
  server.stop()
})

const made = {
  keyed: ['CREATE TABLE keyed (id int PRIMARY KEY, v int)'],
  keyless: ['CREATE TABLE keyless (id int, v int)'],
  unique_only: ['CREATE TABLE unique_only (id int UNIQUE, v int)'],
  full: ['CREATE TABLE "full" (id int, v int)', 'ALTER TABLE "full" REPLICA IDENTITY FULL'],
  by_index: [
    'CREATE TABLE by_index (id int NOT NULL UNIQUE, v int)',
    'ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_id_key',
  ],
  nothing: ['CREATE TABLE nothing (id int PRIMARY KEY, v int)', 'ALTER TABLE nothing REPLICA IDENTITY NOTHING'],
  parted: [
    'CREATE TABLE parted (id int PRIMARY KEY, v int) PARTITION BY RANGE (id)',
    'CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100)',
  ],
  parted_keyless: [
    'CREATE TABLE parted_keyless (id int, v int) PARTITION BY RANGE (id)',
    'CREATE TABLE parted_keyless_1 PARTITION OF parted_keyless FOR VALUES FROM (0) TO (100)',
  ],
}

test('a table has a key exactly where PostgreSQL lets its rows be changed, and each that is replicated is looked at', async () => {
  await session.query('CREATE PUBLICATION remodel FOR ALL TABLES')
  for (const statements of Object.values(made)) for (const statement of statements) await session.query(statement)
  await session.query('CREATE UNLOGGED TABLE beside (id int)')
  const found = await tablesOf(session)
  expect(found.map(({ name }) => name)).toEqual(
    Object.keys(made)
      .map((name) => `public.${name}`)
      .sort(),
  )
  for (const { name, keyed } of found) {
    const table = name.replace('public.', 'public."').concat('"')
    await session.query(`INSERT INTO ${table} (id, v) VALUES (1, 1)`)
    const changes = await session.query(`UPDATE ${table} SET v = 2`).then(
      () => true,
      () => false,
    )
    expect({ name, keyed }).toEqual({ name, keyed: changes })
  }
})
