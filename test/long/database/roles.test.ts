import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { Field } from './field.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

async function good(content: string) {
  const { state, said, plan } = await field.deploy(content)
  expect({ state, said }).toEqual({ state: 'done', said: '' })
  return plan!
}

async function remove(name: string): Promise<void> {
  const { plan } = await field.client.planRemoval(name)
  expect(await field.carryOut(plan)).toMatchObject({ state: 'done' })
}

/** SQLSTATE of a login over the network; empty where it is let in. */
async function login(user: string, password: string, database = 'roles14'): Promise<string> {
  const client = new pg.Client({ host: `127.${field.net}.0.1`, port: 5432, database, user, password })
  client.on('error', () => {})
  try {
    await client.connect()
    return ''
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  } finally {
    await client.end().catch(() => {})
  }
}

const roleOf = (name: string) =>
  field.sql(
    'roles14',
    'p',
    1,
    `SELECT concat_ws('|', rolsuper, rolreplication, rolcanlogin) FROM pg_roles WHERE rolname = '${name}'`,
  )

describe('what is taken out of a document is taken away', { timeout: 600_000 }, () => {
  test('attributes, login, password, and the role', async () => {
    const version = (name: string) => field.document(`B14/${name}.yml`)
    const [a, b, c, d] = [version('a'), version('b'), version('c'), version('d')]
    await good(a)
    expect(await roleOf('report')).toBe('t|t|t')
    await good(b)
    expect(await roleOf('report')).toBe('f|f|t')
    expect(await login('report', 'report-1')).toBe('')
    await good(c)
    expect(await roleOf('report')).toBe('f|f|f')
    const without = await good(d)
    expect(without.notes).toContain('user report has no password: it cannot log in')
    expect(await roleOf('report')).toBe('f|f|t')
    for (const password of ['report-1', 'anything', '']) expect(await login('report', password)).not.toBe('')
    expect(await field.sql('roles14', 'p', 1, `ALTER ROLE report SUPERUSER`)).toBe(null)
    expect(((await field.plan(d)) as { remodels: unknown[] }).remodels).not.toEqual([])
    await good(d)
    expect(await roleOf('report')).toBe('f|f|t')

    const gone = d.replace(/^.*username: report.*$/m, '')
    await field.sql('roles14', 'p', 1, 'GRANT pg_monitor TO report', 'GRANT CREATE ON DATABASE roles14 TO report')
    await field.arm('set-up-instance.role-closed')
    const plan = await good(gone)
    expect(field.died).toEqual(['set-up-instance.role-closed'])
    expect(plan.notes.join()).toContain('user report leaves')
    expect(await roleOf('report')).toBe(null)
    expect(await field.plan(gone)).toMatchObject({ remodels: [] })

    await good(a)
    await field.sql('roles14', 'p', 1, 'GRANT pg_monitor TO report', 'CREATE SCHEMA own AUTHORIZATION report')
    await good(gone)
    expect(await roleOf('report'), 'what it owns is not lost').toBe('f|f|f')
    expect(await login('report', 'report-1')).not.toBe('')
    expect(await field.sql('roles14', 'p', 1, `SELECT pg_has_role('report', 'pg_monitor', 'member')`)).toBe(false)
    await remove('roles14')
  })

  test('a password: no client logs in as that user any more, with any', async () => {
    const version = (name: string) => field.document(`D10-user-without-password/${name}.yml`)
    const [first, second] = [version('1-password'), version('2-no-password')]
    await good(first)
    expect(await login('report', 'report-1')).toBe('')
    await good(second)
    for (const password of ['report-1', 'x', '']) expect(await login('report', password)).not.toBe('')
    expect(await login('app', 'change-me')).toBe('')
    await remove('roles14')
  })
})

describe('names', { timeout: 120_000 }, () => {
  test.each([
    'name-1',
    'u-remodel',
    'postgres',
    'template0',
    'template1',
    'u-none',
    'u-pg_app',
    'u-postgres',
    'u-public',
  ])('that are reserved are refused at their line when planned: %s', async (name) => {
    const content = field.document(`B18/${name}.yml`)
    const plan = await field.plan(content)
    if (name === 'name-1') expect(plan).toMatchObject({ deployment: 'shop-a' })
    else
      expect(plan).toMatchObject({
        state: 'refused',
        said: expect.stringMatching(/^\d+: (database_name|database_users)/m),
      })
  })
})

describe('passwords', { timeout: 300_000 }, () => {
  test('let every user in that libpq logs in with what YAML reads', async () => {
    for (const name of ['1-passwords', '2-passwords']) {
      const content = field.document(`B19/${name}.yml`)
      await good(content)
      const { name: database, hosts, database_users } = parse(content)
      const at = Number(String(hosts[0].address).split('.').at(-1))
      await field.inDatabase(database, 'p', at, async (session) => {
        await session.query('CREATE EXTENSION IF NOT EXISTS dblink')
        for (const { username, password } of database_users) {
          const escaped = String(password).replace(/[\\']/g, '\\$&')
          const info = `host=${hosts[0].address} dbname=${database} user=${username} password='${escaped}'`
          const opened = session
            .value('SELECT dblink_connect($1, $2)', [username, info])
            .catch((error) => error.message)
          expect({ username, opened: await opened }).toEqual({ username, opened: 'OK' })
          const wrong = session.value('SELECT dblink_connect($1, $2)', ['wrong', info.replace(/'$/, `x'`)])
          await expect(wrong).rejects.toThrow('could not establish connection')
        }
      })
      await remove(database)
    }
  })
})
