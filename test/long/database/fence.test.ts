import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresBinaries } from '../../../shared/postgres/binaries.ts'
import { openFenced } from '../../../shared/postgres/fenced.ts'
import { freePort } from '../../support/redis.ts'

const user = 65534
const directory = mkdtempSync(join(tmpdir(), 'remodel-postgres-'))
const data = join(directory, 'data')
let at: { address: string; port: number }

const run = (program: string, ...args: string[]) =>
  execFileSync(join(postgresBinaries(), program), args, { uid: user, gid: user, cwd: directory, stdio: 'ignore' })

beforeAll(async () => {
  chownSync(directory, user, user)
  chmodSync(directory, 0o700)
  at = { address: '127.0.0.1', port: await freePort() }
  run('initdb', '-D', data, '-U', 'remodel', '-A', 'trust', '--no-sync')
  const options = `-p ${at.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${directory} -c fsync=off`
  run('pg_ctl', '-D', data, '-w', '-o', options, '-l', join(directory, 'log'), 'start')
})

afterAll(() => {
  run('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop')
  rmSync(directory, { recursive: true })
})

const fence = (number: number, scope = 'subscription/n1:n2:shop') => ({ scope, number })

describe('a session under a fence', () => {
  test('ends when somebody comes with a larger one; it can change nothing more, and is refused when it comes again', async () => {
    const paused = await openFenced(at, 'postgres', fence(3))
    await paused.query('CREATE TABLE kept (by int)')
    const newer = await openFenced(at, 'postgres', fence(4))
    await expect(paused.query('INSERT INTO kept VALUES (3)')).rejects.toMatchObject({ code: 'infrastructure' })
    await expect(openFenced(at, 'postgres', fence(3))).rejects.toMatchObject({ code: 'superseded' })
    await newer.query('INSERT INTO kept VALUES (4)')
    expect(await newer.query('SELECT by FROM kept')).toEqual([{ by: 4 }])
    await newer.close()
  })

  test('may be opened again with the same number, and beside sessions of other scopes', async () => {
    const [one, other] = await Promise.all([
      openFenced(at, 'postgres', fence(5)),
      openFenced(at, 'postgres', fence(1, 'slot/n1:n2:shop')),
    ])
    await one.close()
    const again = await openFenced(at, 'postgres', fence(5))
    expect(await again.value('SELECT 1')).toBe(1)
    expect(await other.value('SELECT 2')).toBe(2)
    await Promise.all([again.close(), other.close()])
  })
})
