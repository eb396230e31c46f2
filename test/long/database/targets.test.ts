import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAsClient } from '../../kinds/database/postgres.ts'
import { Field } from './field.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

const server = () => ({ vm: 'db-pitr-p', address: `127.${field.net}.0.1`, port: 5432 })

describe('a restore to a target that the log does not reach', { timeout: 600_000 }, () => {
  test('is refused before anything stops: transactions to come, going on, of a server that died; places beyond the end', async () => {
    const version = (name: string) => field.document(`B17/${name}.yml`)
    const [first, digits] = [version('3-pitr'), version('4-xid-20-digits')]
    const [beyond, rolledBack] = [version('5-lsn-beyond'), version('6-xid-rolled-back')]
    expect(await field.deploy(first)).toMatchObject({ state: 'done', said: '' })
    const session = await openAsClient(field.stack.provider, server(), 'pitr')
    await session.query('INSERT INTO item VALUES (1)')
    await session.query('BEGIN')
    const aborted = String(await session.value('SELECT pg_current_xact_id()::text'))
    await session.query('INSERT INTO item VALUES (2)')
    await session.query('ROLLBACK')
    await session.query('INSERT INTO item VALUES (3)')
    const open = await openAsClient(field.stack.provider, server(), 'pitr')
    await open.query('BEGIN')
    const going = String(await open.value('SELECT pg_current_xact_id()::text'))
    // One that is behind it has ended: so the number of the one that goes on could be that of an end.
    await session.query('INSERT INTO item VALUES (5)')
    const started = () => field.sql('pitr', 'p', 1, 'SELECT pg_postmaster_start_time()::text')
    const before = await started()
    const to = (xid: string) => rolledBack.replace('"770"', `"${xid}"`)

    for (const content of [digits, to('900000000'), beyond]) {
      expect(await field.deploy(content)).toMatchObject({
        state: 'refused',
        said: expect.stringMatching(/^\d+: restore_config.*(must be the number|reaches)/m),
      })
    }
    expect(await field.deploy(to(going))).toMatchObject({
      state: 'failed',
      said: expect.stringMatching(/job-failed: nothing was changed: transaction \d+ does not end in what is archived/),
    })
    expect(await started()).toBe(before)
    expect(await field.sql('pitr', 'p', 1, 'SELECT 1')).toBe(1)
    await open.query('ROLLBACK')
    await open.close()
    await session.close()

    expect(await field.deploy(to(aborted))).toMatchObject({ state: 'done', said: '' })
    const again = await openAsClient(field.stack.provider, server(), 'pitr')
    expect(await again.value(`SELECT string_agg(id::text, ' ' ORDER BY id) FROM item`)).toBe('1')
    await again.close()
    const { plan } = await field.client.planRemoval('pitr')
    expect(await field.carryOut(plan)).toMatchObject({ state: 'done' })
  })
})
