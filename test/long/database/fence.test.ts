import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openFenced } from '../../../kinds/database/postgres/fenced.ts'
import { fenceSequence } from '../../../kinds/database/postgres/names.ts'
import { openAsClient, startPair, startPostgres, type TestServer } from '../../kinds/database/postgres.ts'

let server: TestServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

const open = (number: number, scope = 'subscription/n1:n2:shop') =>
  openFenced(server.host, server.at, 'postgres', { fence: { scope, number } })

describe('a session under a fence', () => {
  test('ends when a step comes with a larger one; it can change nothing more, and is refused when it comes again', async () => {
    const paused = await open(3)
    await paused.query('CREATE TABLE public.kept (by int)')
    const newer = await open(4)
    await expect(paused.query('INSERT INTO public.kept VALUES (3)')).rejects.toMatchObject({ code: 'infrastructure' })
    await expect(open(3)).rejects.toMatchObject({ code: 'superseded' })
    await newer.query('INSERT INTO public.kept VALUES (4)')
    expect(await newer.query('SELECT by FROM public.kept')).toEqual([{ by: 4 }])
    await newer.close()
  })

  test('may be opened again with the same number, and beside sessions of other scopes', async () => {
    const [one, other] = await Promise.all([open(5), open(1, 'slot/n1:n2:shop')])
    await one.close()
    const again = await open(5)
    expect(await again.value('SELECT 1')).toBe(1)
    expect(await other.value('SELECT 2')).toBe(2)
    await Promise.all([again.close(), other.close()])
  })

  test('of a newer worker that has not raised the fence yet is not ended by an older one that waits', async () => {
    const scope = 'subscription/n2:n1:shop'
    const held = await open(7, scope)
    // The older one finds the lock held by a session of a larger number, whatever the sequence says.
    await held.query(`SELECT setval('remodel.${fenceSequence(scope)}', 1)`)
    const older = open(5, scope)
    older.catch(() => {})
    await sleep(300)
    expect(await held.value('SELECT 1')).toBe(1)
    await held.query(`SELECT setval('remodel.${fenceSequence(scope)}', 7)`)
    await expect(older).rejects.toMatchObject({ code: 'superseded' })
    expect(await held.value('SELECT 1')).toBe(1)
    await held.close()
  })

  test('is not held up by an application that has the advisory lock 0', async () => {
    const application = await openAsClient(server.host, server.at, 'postgres')
    await application.query('SELECT pg_advisory_lock(0)')
    const session = await open(1, 'slot/n9:n1:shop')
    expect(await session.value('SELECT 1')).toBe(1)
    await Promise.all([session.close(), application.close()])
  })

  test('does not begin before a synchronous standby has its number: a failover brings no smaller one back', async () => {
    const { primary, standby } = await startPair()
    try {
      const [watch, replica] = await Promise.all(
        [primary, standby].map(({ host, at }) => openAsClient(host, at, 'postgres')),
      )
      const receiver = async () =>
        await replica!.value(`SELECT pid FROM pg_stat_wal_receiver WHERE status = 'streaming'`)
      await expect.poll(receiver, { timeout: 30_000 }).not.toBeNull()
      const pid = Number(await receiver())
      const waits = `SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
      const fence = { scope: 'slot/n1:n2:shop', number: 9 }
      process.kill(pid, 'SIGSTOP')
      const opened = openFenced(primary.host, primary.at, 'postgres', { fence })
      const first = await Promise.race([
        opened.then(() => 'the work begins'),
        expect
          .poll(() => watch!.value(waits), { timeout: 30_000, interval: 20 })
          .toBe(1)
          .then(() => 'it waits'),
      ]).finally(() => process.kill(pid, 'SIGCONT'))
      expect(first).toBe('it waits')
      await (await opened).close()
      const sequence = `SELECT last_value::int FROM remodel.${fenceSequence(fence.scope)}`
      await expect.poll(() => replica!.value(sequence), { timeout: 30_000 }).toBe(9)
      await Promise.all([watch!.close(), replica!.close()])
    } finally {
      standby.stop()
      primary.stop()
    }
  })
})
