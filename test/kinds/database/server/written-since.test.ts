import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSession, type Session } from '../../../../kinds/database/postgres/server.ts'
import { writtenSince } from '../../../../kinds/database/postgres/written-since.ts'
import { openAsClient, startPostgres, type TestServer } from '../postgres.ts'

let server: TestServer
let client: Session
let session: Session
beforeAll(async () => {
  server = await startPostgres({ track_commit_timestamp: 'on' })
  client = await openAsClient(server.host, server.at, 'postgres')
  session = await openSession(server.host, server.at, 'postgres')
  await client.query('CREATE TABLE item (id int PRIMARY KEY, note text)')
  await client.query('CREATE TABLE part (id int, at int) PARTITION BY RANGE (at)')
  await client.query('CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10)')
  await client.query('CREATE UNLOGGED TABLE beside (id int)')
}, 60_000)
afterAll(async () => {
  await Promise.all([client.close(), session.close()])
  server.stop()
})

/** A moment by the server's clock with nothing committed about it. */
async function moment(): Promise<Date> {
  await sleep(20)
  const at = new Date(Number(await client.value('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text')))
  await sleep(20)
  return at
}

describe('what a restore to a moment drops', { timeout: 60_000 }, () => {
  test('is the rows that were inserted and changed since, in all tables, and the transactions', async () => {
    await client.query(`INSERT INTO item SELECT n, 'old' FROM generate_series(1, 100) n`)
    await client.query('INSERT INTO part VALUES (1, 1)')
    const since = await moment()
    expect(await writtenSince(session, since, 10_000)).toEqual({ rows: 0, transactions: 0, more: false })
    await client.query(`INSERT INTO item SELECT n, 'new' FROM generate_series(101, 140) n`)
    await client.query(`UPDATE item SET note = 'changed' WHERE id <= 5`)
    await client.query('INSERT INTO part VALUES (2, 2), (3, 3)')
    await client.query('INSERT INTO beside VALUES (1)')
    await client.query('DELETE FROM item WHERE id = 50')
    expect(await writtenSince(session, since, 10_000)).toEqual({ rows: 47, transactions: 5, more: false })
  })

  test('reaches behind many transactions', async () => {
    const since = await moment()
    await client.query('INSERT INTO item VALUES (1000)')
    await client.query('DO $$ BEGIN FOR n IN 1..2500 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$')
    const found = await writtenSince(session, since, 10_000)
    expect(found).toMatchObject({ rows: 1, more: false })
    expect(found.transactions).toBeGreaterThan(2500)
  })

  test('is said in transactions where there is no time to count rows', async () => {
    const since = await moment()
    await client.query(`INSERT INTO item VALUES (2000)`)
    expect(await writtenSince(session, since, 0)).toEqual({ rows: null, transactions: 1, more: false })
    const holding = await openAsClient(server.host, server.at, 'postgres')
    await holding.query('BEGIN; LOCK TABLE item')
    expect(await writtenSince(session, since, 300), 'a table that another session holds').toEqual({
      rows: null,
      transactions: 1,
      more: false,
    })
    await holding.close()
    expect(await session.value('SHOW statement_timeout')).toBe('0')
  })
})
