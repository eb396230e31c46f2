import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSession } from '../../../kinds/database/postgres/server.ts'
import { Ledger } from '../../../shared/ledger/ledger.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { actual, addressOf, carryOut, documentOf, expectWhole, passwordOf, remove } from './support.ts'
import { Writer } from './writer.ts'

let stack: TestStack
let net: number
beforeAll(async () => {
  net = await ownNet()
  stack = await startServices({ planner: 1, assembler: 2 })
})
afterAll(() => stack.stop())

const nodes = { n1: 'ab', n2: 'c' }

/** The document of most tests, with a user who has a password. */
function documentWith(more: object = {}): string {
  const value = JSON.parse(documentOf({ net, nodes }))
  value.database_users.push({ username: 'shut' }, { username: 'teller', password: 'open sesame' })
  return JSON.stringify({ ...value, ...more })
}

async function deployed(content: string): Promise<string> {
  const { plan } = await stack.client().plan({ manifest: { name: 'shop.yml', content } })
  await carryOut(stack.client(), plan.id, 90_000)
  return plan.id
}

/** What a process anywhere on this computer gets that connects to a server's address. */
async function comesIn(letter: string, user: string, more: pg.ClientConfig = {}): Promise<string> {
  const client = new pg.Client({ host: addressOf(net, letter), port: 5432, database: 'shop', user, ...more })
  client.on('error', () => {})
  try {
    await client.connect()
    return String((await client.query('SELECT current_user')).rows[0].current_user)
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  } finally {
    await client.end().catch(() => {})
  }
}

const member = (letter: string) => ({ vm: `db-shop-${letter}`, address: addressOf(net, letter), port: 5432 })
const asAdmin = async (letter: string, ...statements: string[]) => {
  const session = await openSession(stack.provider, member(letter), 'shop')
  for (const statement of statements) await session.query(statement)
  await session.close()
}

describe('the servers of a database', { timeout: 200_000 }, () => {
  test('take the admin role from their own machine only, and servers of the deployment only with its password', async () => {
    await deployed(documentWith())
    for (const letter of 'abc') {
      for (const database of ['shop', 'postgres']) {
        expect(await comesIn(letter, 'remodel', { database })).toBe('28000')
        expect(await comesIn(letter, 'remodel', { database, password: 'remodel' })).toBe('28000')
      }
      expect(await comesIn(letter, 'remodel_replication', { password: 'remodel' })).toBe('28P01')
      const session = await openSession(stack.provider, member(letter), 'shop')
      expect(await session.value('SELECT current_user')).toBe('remodel')
      await session.close()
    }
  })

  test('take the users of the document with their password, and one that has none not at all', async () => {
    for (const letter of 'abc') {
      expect(await comesIn(letter, 'app', { password: passwordOf('app') })).toBe('app')
      for (const password of ['x', passwordOf('app')]) {
        expect(await comesIn(letter, 'shut', { password })).toBe('28P01')
      }
      expect(await comesIn(letter, 'teller', { password: 'open sesame' })).toBe('teller')
      expect(await comesIn(letter, 'teller', { password: 'open barley' })).toBe('28P01')
    }
  })

  test('have no password in anything that can be read of them: plans, floorplan, events, logs', async () => {
    const [plan] = await stack.client().plans({ deployment: 'shop' })
    const said = [
      await stack.client().planView(plan!.id),
      await withLedger((ledger) => ledger.floorplan('shop')),
      await stack.client().events('shop'),
      stack.services.map(({ log }) => log),
    ].map((one) => JSON.stringify(one))
    for (const text of said) {
      expect(text).not.toContain('SCRAM-SHA-256')
      expect(text).not.toContain('open sesame')
    }
  })

  test('change a password without a restart, and need nothing where it stays', async () => {
    const { plan } = await stack.client().plan({ manifest: { name: 'shop.yml', content: documentWith() } })
    expect(plan.remodels).toEqual([])
    const value = JSON.parse(documentWith())
    value.database_users.at(-1).password = 'open barley'
    await deployed(JSON.stringify(value))
    expect(await comesIn('a', 'teller', { password: 'open barley' })).toBe('teller')
    expect(await comesIn('a', 'teller', { password: 'open sesame' })).toBe('28P01')
  })

  test('that were set up before there were such rules get them with the next deploy, under writers', async () => {
    await makeOld()
    expect(await comesIn('a', 'remodel'), 'the control: it was let in').toBe('remodel')
    const writers = [new Writer(net, 'n1', 'ab'), new Writer(net, 'n2', 'c')]
    await deployed(documentWith())
    await Promise.all(writers.map((writer) => writer.stop()))
    for (const letter of 'abc') expect(await comesIn(letter, 'remodel')).toBe('28000')
    await expectWhole(
      net,
      ['ab', 'c'],
      writers.flatMap(({ acknowledged }) => acknowledged),
    )
    const { plan } = await stack.client().plan({ manifest: { name: 'shop.yml', content: documentWith() } })
    expect(plan.remodels).toEqual([])
  })

  test('are gone, and nothing is left', async () => {
    await remove(stack.client())
    expect(await actual(stack)).toEqual([])
  })
})

/**
 * What servers, subscriptions and floorplan were like before: the admin role comes in over the
 * network, and so do servers.
 */
async function makeOld(): Promise<void> {
  const data = '/var/vcap/store/postgres/data'
  const rules = [
    'local all all trust',
    'host all remodel 127.0.0.0/8 trust',
    'host replication remodel 127.0.0.0/8 trust',
  ]
  const open = [...rules, 'host all "app" 127.0.0.0/8 trust', 'host all "tester" 127.0.0.0/8 trust']
  const script = `cd ${data}; printf '%s\\n' '${open.join("' '")}' 'host all all 0.0.0.0/0 scram-sha-256' > pg_hba.conf; rm pg_ident.conf ../passwords; echo old > ../applied
    sed -i 's| user=remodel_replication passfile=[^ ]* | user=remodel |' node.conf
    setpriv --reuid=65534 --regid=65534 --clear-groups /var/vcap/packages/postgres/bin/pg_ctl -D ${data} reload`
  for (const letter of 'abc') {
    const machine = await stack.provider.connect(`db-shop-${letter}`, null)
    expect(await machine.exec(['sh', '-ec', script])).toMatchObject({ exitCode: 0 })
    machine.close()
  }
  const conninfo = (hosts: string, name: string) => {
    const members = [...hosts].map(member)
    return `host=${members.map(({ address }) => address)} port=${members.map(({ port }) => port)} user=remodel dbname=shop application_name=${name} target_session_attrs=read-write connect_timeout=2`
  }
  await asAdmin('a', `ALTER SUBSCRIPTION remodel_n2_n1 CONNECTION '${conninfo('c', 'remodel_n2_n1')}'`)
  await asAdmin('c', `ALTER SUBSCRIPTION remodel_n1_n2 CONNECTION '${conninfo('ab', 'remodel_n1_n2')}'`)
  await expect
    .poll(
      async () => {
        const session = await openSession(stack.provider, member('a'), 'shop')
        const by = await session.value(`SELECT string_agg(DISTINCT usename, ' ') FROM pg_stat_replication`)
        await session.close()
        return by
      },
      { timeout: 30_000 },
    )
    .toBe('remodel')
  for (const letter of 'ac') {
    await asAdmin(letter, 'REVOKE ALL ON DATABASE shop FROM remodel_replication', 'DROP ROLE remodel_replication')
  }
  await withLedger(async (ledger) => {
    const { materials } = await ledger.floorplan('shop')
    for (const { id, ...material } of materials.filter((one) => one.id.startsWith('instance/'))) {
      const { access: _, ...attributes } = material.attributes
      await ledger.redis.hset(`${ledger.base('shop')}:floorplan`, id, JSON.stringify({ ...material, attributes }))
    }
  })
}

async function withLedger<T>(work: (ledger: Ledger) => Promise<T>): Promise<T> {
  const settings = { url: stack.redis.url, prefix: 'remodel' }
  const ledger = new Ledger(connectRedis(settings, 'service'), settings)
  try {
    return await work(ledger)
  } finally {
    ledger.redis.disconnect()
  }
}
