import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { authorityOf, connectionUri, findDatabase } from '../../../kinds/database/cli/databases.ts'
import { Authority } from '../../../shared/certificates/authority.ts'
import { Secrets } from '../../../shared/runtime/secrets.ts'
import { openAsClient } from '../../kinds/database/postgres.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { actual, addressOf, ask, deploy, documentOf, expectWhole, passwordOf, remove, type Wish } from './support.ts'
import { Writer } from './writer.ts'

let stack: TestStack
let net: number
beforeAll(async () => {
  net = await ownNet()
  stack = await startServices({ planner: 1, assembler: 2 })
})
afterAll(() => stack.stop())

const nodes = { n1: 'ab', n2: 'c' }
const letters = [...'abc']
const certificate = '/var/vcap/store/postgres/server.pem'
const put = (tls?: Wish['tls']) => deploy(stack.client(), { net, nodes, ...(tls ? { tls } : {}) }, 120_000)
const plan = (tls: Wish['tls']) =>
  stack.client().plan({ manifest: { name: 'shop.yml', content: documentOf({ net, nodes, ...(tls ? { tls } : {}) }) } })

async function authority(): Promise<string> {
  return authorityOf(await findDatabase('shop', stack.client())) ?? ''
}

/** What a client gets that insists on what `ssl` says; the code of what refuses it. */
async function comesIn(letter: string, ssl: pg.ClientConfig['ssl']): Promise<string> {
  const host = addressOf(net, letter)
  const to = { host, port: 5432, database: 'shop', user: 'app', password: passwordOf('app') }
  const client = new pg.Client({ ...to, ...(ssl ? { ssl } : {}) })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
    return rows[0].ssl ? String(rows[0].version) : 'in the clear'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  } finally {
    await client.end().catch(() => {})
  }
}

async function onMachine(letter: string, script: string): Promise<string> {
  const machine = await stack.provider.connect(`db-shop-${letter}`, null)
  try {
    return (await machine.exec(['/bin/sh', '-ec', script])).stdout
  } finally {
    machine.close()
  }
}

async function asAdmin(letter: string, sql: string): Promise<unknown> {
  const at = { vm: `db-shop-${letter}`, address: addressOf(net, letter), port: 5432 }
  const session = await openAsClient(stack.provider, at, 'shop')
  try {
    return await session.value(sql)
  } finally {
    await session.close()
  }
}

/** Of all that servers of the deployment send each other: reader -> whether that is encrypted. */
const streams = (letter: string) =>
  asAdmin(
    letter,
    `SELECT json_object_agg(application_name, s.ssl) FROM pg_stat_replication JOIN pg_stat_ssl s USING (pid)`,
  )
const links = `SELECT string_agg(DISTINCT subconninfo, ' ') FROM pg_subscription`

async function expectLinks(ssl: boolean): Promise<void> {
  await expect.poll(() => streams('a'), { timeout: 60_000 }).toEqual({ 'n1-b': ssl, remodel_n1_n2: ssl })
  await expect.poll(() => streams('c'), { timeout: 60_000 }).toEqual({ remodel_n2_n1: ssl })
  await expectConninfo(ssl)
}

async function expectConninfo(ssl: boolean): Promise<void> {
  const checks = expect.stringMatching(/ sslmode=verify-full sslrootcert=\S+ca\.pem/)
  const conninfo = [await asAdmin('a', links), await asAdmin('c', links), await asAdmin('b', 'SHOW primary_conninfo')]
  expect(conninfo).toEqual(ssl ? [checks, checks, checks] : conninfo.map(() => expect.not.stringContaining('sslmode')))
}

const startedAt = () => Promise.all(letters.map((letter) => asAdmin(letter, 'SELECT pg_postmaster_start_time()::text')))

describe('TLS of a database', { timeout: 600_000 }, () => {
  test('comes to an existing database under writers, is required, and goes: no server restarts and no row is lost', async () => {
    await put()
    await expectLinks(false)
    expect(await comesIn('a', undefined)).toBe('in the clear')
    const before = await startedAt()
    const writers = ['ab', 'c'].map((hosts) => new Writer(net, `w-${hosts}`, hosts))
    try {
      await put({ mode: 'on' })
      await expectLinks(true)
      await put({ mode: 'required' })
      await expectLinks(true)
      await put({ mode: 'off' })
      // Sessions that were there stay as they are: what comes from now on is in the clear.
      await expectConninfo(false)
      expect(await comesIn('a', undefined)).toBe('in the clear')
      expect(await comesIn('a', { rejectUnauthorized: false })).toMatch(/does not support SSL/)
      await put({ mode: 'required' })
      await expectLinks(true)
    } finally {
      await Promise.all(writers.map((writer) => writer.stop()))
    }
    const acknowledged = writers.flatMap((writer) => writer.acknowledged)
    expect(acknowledged.length).toBeGreaterThan(100)
    await expectWhole(net, ['ab', 'c'], acknowledged)
    expect(await startedAt()).toEqual(before)
    expect((await plan({ mode: 'required' })).plan.remodels).toEqual([])
    expect((await stack.client().verdict('shop', 0)).deviations).toEqual([])
  })

  test('lets a client in that checks all of the certificate, and no client that comes without or knows another CA', async () => {
    const ca = await authority()
    expect(ca).toMatch(/^-----BEGIN CERTIFICATE-----/)
    const other = new Authority(new Secrets(Buffer.alloc(32, 1)), 'shop').certificate
    for (const letter of letters) {
      expect(await comesIn(letter, { ca })).toBe('TLSv1.3')
      expect(await comesIn(letter, { ca: other })).toMatch(/^(UNABLE_TO|SELF_SIGNED)/)
      expect(await comesIn(letter, undefined)).toBe('28000')
    }
  })

  test('is checked by libpq itself: a server whose CA is another one gets no reader', async () => {
    const other = new Authority(new Secrets(Buffer.alloc(32, 1)), 'shop').certificate
    const own = await authority()
    const found = await findDatabase('shop', stack.client())
    expect(connectionUri(found, 'n1', { user: 'app' })).toBe(
      `postgresql://app@${addressOf(net, 'a')}:5432,${addressOf(net, 'b')}:5432/shop?target_session_attrs=read-write&sslmode=verify-full&sslrootcert=shop-ca.pem`,
    )
    const file = '/var/vcap/store/postgres/ca.pem'
    await onMachine('c', `cat > ${file} <<'END'\n${other}END`)
    const ended = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_replication WHERE application_name = 'remodel_n1_n2'`
    await asAdmin('a', ended)
    const log = () => onMachine('c', 'cat /var/vcap/store/postgres/postgres.log')
    await expect.poll(log, { timeout: 60_000 }).toContain('certificate verify failed')
    expect(await streams('a')).toEqual({ 'n1-b': true })
    await onMachine('c', `cat > ${file} <<'END'\n${own}END`)
    await expectLinks(true)
  })

  test('has new certificates by a deploy of the same document when less than a third of their life is left, without a restart', async () => {
    const secrets = await Secrets.open(stack.home)
    const ca = new Authority(secrets, 'shop')
    expect(await authority()).toBe(ca.certificate)
    const day = 24 * 3_600_000
    const old = ca.issue(
      { name: 'n1-a', hosts: ['a', 'n1'], addresses: [addressOf(net, 'a')], days: 365 },
      Date.now() - 250 * day,
    )
    expect((await plan({ mode: 'required' })).plan.remodels).toEqual([])
    const before = await startedAt()
    await onMachine('a', `cat > ${certificate} <<'END'\n${old.key}${old.certificate}END`)
    const { plan: renewal } = await plan({ mode: 'required' })
    expect(renewal.remodels.map(({ id }) => id)).toContainEqual(expect.stringContaining('instance/n1-a'))
    expect(JSON.stringify(renewal)).toMatch(/its certificate ends on \d{4}-\d\d-\d\d/)
    await put({ mode: 'required' })
    expect(await onMachine('a', `cat ${certificate}`)).not.toContain(old.certificate)
    expect(await startedAt()).toEqual(before)
    expect(await authority()).toBe(ca.certificate)
    for (const letter of letters) expect(await comesIn(letter, { ca: ca.certificate })).toBe('TLSv1.3')
    expect((await plan({ mode: 'required' })).plan.remodels).toEqual([])
  })

  test('keeps its keys to the servers: nothing else of the deployment or the installation has one', async () => {
    for (const letter of letters) {
      expect(await onMachine(letter, `stat -c '%a %u' ${certificate}`)).toBe('600 65534\n')
      expect(await onMachine(letter, `grep -rlE 'PRIVATE KEY' /var/vcap/store | sort`)).toBe(`${certificate}\n`)
    }
    const keys = await Promise.all(letters.map((letter) => onMachine(letter, `cat ${certificate}`)))
    const words = keys.map((text) => text.split('\n')[1]!)
    const client = stack.client()
    const deployment = await client.deployments()
    const seen = JSON.stringify([
      deployment,
      await client.events('shop', {}),
      (await plan({ mode: 'on' })).plan,
      await findDatabase('shop', client),
    ])
    for (const word of ['PRIVATE KEY', ...words]) expect(seen).not.toContain(word)
    const logs = (await readdir(stack.home, { recursive: true })).filter((file) => file.endsWith('.log'))
    for (const file of logs) {
      const text = await readFile(join(stack.home, file), 'utf8').catch(() => '')
      for (const word of ['PRIVATE KEY', ...words]) expect(text).not.toContain(word)
    }
  })

  test('is of a node that is added and of a primary that takes over, and goes with the machines', async () => {
    const wish = { net, nodes: { ...nodes, n3: 'de' }, source: { n3: 'n1' }, tls: { mode: 'required' as const } }
    await deploy(stack.client(), wish, 240_000)
    const streamsOf = async (letter: string) => Object.values(((await streams(letter)) ?? {}) as object)
    await expect.poll(() => streamsOf('a'), { timeout: 60_000 }).toEqual([true, true, true])
    await expect.poll(() => streamsOf('d'), { timeout: 60_000 }).toEqual([true, true, true])
    await deploy(stack.client(), { ...wish, primary: { n1: 'b' } }, 240_000)
    await expect.poll(() => streamsOf('b'), { timeout: 60_000 }).toEqual([true, true, true])
    await ask(net, 'ab', `INSERT INTO item VALUES ('last', 'n1')`)
    for (const hosts of ['c', 'de']) {
      const there = () => ask(net, hosts, `SELECT count(*)::int FROM item WHERE id = 'last'`)
      await expect.poll(there, { timeout: 60_000 }).toEqual([[1]])
    }
    await remove(stack.client())
    expect(await actual(stack)).toEqual([])
  })

  test('is of a database that is restored: servers have certificates again, and nothing goes in the clear', async () => {
    const wish = { net, nodes, tls: { mode: 'required' as const }, keep: 2 }
    await deploy(stack.client(), wish, 240_000)
    await ask(net, 'ab', `INSERT INTO item VALUES ('before', 'n1')`)
    const [[moment]] = (await ask(net, 'ab', 'SELECT clock_timestamp()::text')) as [[string]]
    await ask(net, 'ab', `INSERT INTO item VALUES ('behind', 'n1')`)
    for (const hosts of ['ab', 'c']) {
      await expect.poll(() => ask(net, hosts, 'SELECT count(*)::int FROM item'), { timeout: 60_000 }).toEqual([[2]])
    }
    const restore = { all: { restore_options: { type: 'time', target: moment.replace(' ', 'T') } } }
    const { plan: drawn } = await stack.client().plan({
      manifest: { name: 'shop.yml', content: documentOf({ ...wish, restore }) },
    })
    expect(drawn.consequences?.[0]).toMatch(/^n1 and n2 go back to .*, and drop 1 row written since: no writes until/)
    await deploy(stack.client(), { ...wish, restore }, 240_000)
    for (const hosts of ['ab', 'c']) expect(await ask(net, hosts, 'SELECT id FROM item')).toEqual([['before']])
    await expectLinks(true)
    const ca = await authority()
    for (const letter of letters) {
      expect(await comesIn(letter, { ca })).toBe('TLSv1.3')
      expect(await comesIn(letter, undefined)).toBe('28000')
      expect(await onMachine(letter, `grep -rlE 'PRIVATE KEY' /var/vcap/store | sort`)).toBe(`${certificate}\n`)
    }
    await ask(net, 'ab', `INSERT INTO item VALUES ('then', 'n1')`)
    await expect
      .poll(() => ask(net, 'c', 'SELECT id FROM item ORDER BY id'), { timeout: 60_000 })
      .toEqual([['before'], ['then']])
    await remove(stack.client())
    expect(await actual(stack)).toEqual([])
  })
})
