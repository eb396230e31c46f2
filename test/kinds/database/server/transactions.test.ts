import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TransactionEnds } from '../../../../kinds/database/archive/transactions.ts'
import type { Session } from '../../../../kinds/database/postgres/server.ts'
import { openAsClient, startPostgres, type TestServer } from '../postgres.ts'

let server: TestServer
beforeAll(async () => {
  server = await startPostgres({ max_prepared_transactions: '5', wal_level: 'logical' })
})
afterAll(() => server.stop())

const open = () => openAsClient(server.host, server.at, 'postgres')

/** The number of a transaction that does this and stays open. */
async function begun(session: Session, ...statements: string[]): Promise<bigint> {
  await session.query('BEGIN')
  const xid = BigInt(String(await session.value('SELECT pg_current_xact_id()::text')))
  for (const statement of statements) await session.query(statement)
  return xid
}

describe('the ends of transactions in a log that PostgreSQL wrote', () => {
  test('are found where a transaction was committed, rolled back, or prepared and ended; across files; and nowhere else', async () => {
    const [session, other] = [await open(), await open()]
    await session.query('CREATE TABLE item (id int, filler text)')
    const first = String(await session.value('SELECT pg_walfile_name(pg_current_wal_lsn())'))
    const committed = await begun(session, 'INSERT INTO item VALUES (1)')
    await session.query('COMMIT')
    const aborted = await begun(session, 'INSERT INTO item VALUES (2)')
    await session.query('ROLLBACK')
    const prepared = await begun(session, 'INSERT INTO item VALUES (3)', `PREPARE TRANSACTION 'one'`)
    await session.query(`COMMIT PREPARED 'one'`)
    const going = await begun(other, 'INSERT INTO item VALUES (4)')
    // Records of many sizes, over several files: some of them lie across the end of one.
    const large: bigint[] = []
    for (let n = 0; n < 12; n++) {
      const fill = `INSERT INTO item SELECT g, repeat(md5(g::text), 20 + g % 37) FROM generate_series(1, 3000) g`
      large.push(await begun(session, fill, `SELECT pg_logical_emit_message(true, 'x', repeat('y', ${9000 * n}))`))
      await session.query('COMMIT')
    }
    const last = String(await session.value('SELECT pg_walfile_name(pg_switch_wal() - 1)'))
    const next = BigInt(String(await session.value('SELECT pg_snapshot_xmax(pg_current_snapshot())::text')))
    const names = (
      await session.query('SELECT name FROM pg_ls_waldir() WHERE name BETWEEN $1 AND $2 ORDER BY name', [first, last])
    ).map(({ name }) => String(name))
    expect(names.length).toBeGreaterThan(2)
    const folder = join(String(await session.value('SHOW data_directory')), 'pg_wal')
    const files = await Promise.all(names.map((name) => readFile(join(folder, name))))
    const ended = (xid: bigint) => {
      const ends = new TransactionEnds(xid)
      for (const file of files) ends.read(file)
      return ends.found
    }
    expect([committed, aborted, prepared, ...large].map(ended)).toEqual(Array(15).fill(true))
    expect([going, next + 100n, 900_000_000n].map(ended)).toEqual([false, false, false])
    await other.close()
    await session.close()
  })
})
