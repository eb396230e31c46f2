import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setPassword } from '../../../../kinds/database/postgres/password.ts'
import { verifierOf, verifies } from '../../../../kinds/database/postgres/scram.ts'
import { openSession, type SessionOptions } from '../../../../kinds/database/postgres/server.ts'
import { startPostgres, type TestServer } from '../postgres.ts'

let server: TestServer
beforeAll(async () => {
  server = await startPostgres({ log_statement: 'all', log_min_duration_statement: '0' })
})
afterAll(() => server.stop())

const open = (options: SessionOptions = {}) => openSession(server.host, server.at, 'postgres', options)

/** A server process that stands still in the middle of a session, as one does whose disk hangs. */
async function frozen(options: SessionOptions) {
  const session = await open(options)
  const pid = Number(await session.value('SELECT pg_backend_pid()'))
  process.kill(pid, 'SIGSTOP')
  return { session, thaw: () => process.kill(pid, 'SIGCONT') }
}

describe('a session with a server that does not answer', () => {
  test('is over when the limit of a query is up, and is closed within a second or two', async () => {
    const { session, thaw } = await frozen({ limitMs: 200 })
    await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'infrastructure' })
    await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'infrastructure' })
    await session.close()
    thaw()
  })

  test('has that limit where it only looks', async () => {
    const { session, thaw } = await frozen({ timeoutMs: 1000 })
    await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'infrastructure' })
    await session.close()
    thaw()
  })

  test('ends with the signal it was given, in the middle of a query', async () => {
    const ending = new AbortController()
    const { session, thaw } = await frozen({ signal: ending.signal })
    const asked = session.query('SELECT 1')
    ending.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    await session.close()
    await expect(open({ signal: ending.signal })).rejects.toThrow('enough')
    thaw()
  })

  test('lets itself be closed though it never ends', async () => {
    const { session, thaw } = await frozen({})
    await session.close()
    thaw()
  })
})

describe('a password that is given to a role', () => {
  test('is in no log of the server, and in no error where the server refuses it', async () => {
    const session = await open()
    const verifier = await verifierOf('open sesame', new Uint8Array(16).fill(7))
    await session.query('CREATE ROLE app LOGIN')
    await setPassword(session, 'app', verifier)
    const refused = await setPassword(session, 'nobody_of_that_name', verifier).catch((error) => error)
    expect(refused).toMatchObject({ code: 'infrastructure', details: { sqlstate: '42704' } })
    const stored = await session.value(`SELECT rolpassword FROM pg_authid WHERE rolname = 'app'`)
    expect(await verifies(String(stored), 'open sesame')).toBe(true)
    await session.close()
    const secret = verifier.slice(-44)
    expect(inspect(refused, { depth: 9, showHidden: true })).not.toContain(secret)
    expect(server.log(), 'the control: other statements are logged').toContain('CREATE ROLE app')
    expect(server.log()).not.toContain(secret)
  })

  test('is in no error of any other statement: no error holds a statement', async () => {
    const session = await open()
    const error = await session.query(`SELECT 'a secret' FROM nowhere`).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'infrastructure', details: { sqlstate: '42P01' } })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('a secret')
    await session.close()
  })
})
