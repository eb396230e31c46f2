import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../../shared/api/client.ts'
import { baseKey } from '../../../shared/ledger/keys.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'
import { openAsClient } from '../../kinds/database/postgres.ts'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { addressOf, ask, deploy, documentOf, remove, type Wish } from './support.ts'

/**
 * The world is changed behind the back of each step of the kind `database`, and the verdict must say so;
 * the next deploy mends it.
 */

let stack: TestStack
let client: Client
let wish: Wish
const generous = { timeout: 60_000, interval: 300 }

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 })
  client = stack.client()
  wish = { net: await ownNet(), nodes: { n1: 'ab', n2: 'c' }, keep: 2, settings: { work_mem: '8MB' } }
}, 240_000)
afterAll(() => stack.stop())

/** As the admin role, through the machine. */
async function sql(letter: string, database: string, ...statements: string[]): Promise<unknown> {
  const at = { vm: `db-shop-${letter}`, address: addressOf(wish.net, letter), port: 5432 }
  const session = await openAsClient(stack.provider, at, database, { timeoutMs: 10_000 })
  try {
    let last: unknown
    for (const statement of statements) last = await session.value(statement)
    return last
  } finally {
    await session.close()
  }
}

async function shell(letter: string, script: string): Promise<void> {
  const machine = await stack.provider.connect(`db-shop-${letter}`, null)
  try {
    const { exitCode, stderr } = await machine.exec(['/bin/sh', '-c', script])
    if (exitCode !== 0) throw new Error(stderr)
  } finally {
    machine.close()
  }
}

const data = '/var/vcap/store/postgres/data'
const reload = 'SELECT pg_reload_conf()'
const fence = { scope: 'behind/its-back', number: 1 }
const owner = 'deployment/shop'
/** Which of n1's hosts takes its writes. */
async function head(): Promise<string> {
  const replica = await sql('a', 'postgres', 'SELECT pg_is_in_recovery()')
  return replica === true ? 'b' : 'a'
}
const dropLink = (name: string) => [
  `ALTER SUBSCRIPTION ${name} DISABLE`,
  `ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`,
  `DROP SUBSCRIPTION ${name}`,
]
/** Its reader comes back again and again. */
async function dropSlot(letter: string, name: string): Promise<void> {
  const of = `FROM pg_replication_slots WHERE slot_name = '${name}'`
  const drop = async () => {
    await sql(letter, 'postgres', `SELECT pg_terminate_backend(active_pid, 5000) ${of} AND active`)
    await sql(letter, 'postgres', `SELECT pg_drop_replication_slot(slot_name) ${of}`)
    return 'gone'
  }
  await expect.poll(() => drop().catch(String), { timeout: 60_000, interval: 50 }).toBe('gone')
}

interface Undoing {
  /** The step that had done it, and what is undone. */
  of: string
  what: string
  undo(): Promise<unknown>
  says: string | RegExp
  /** The next deploy refuses to mend it unless what was lost with it may be. */
  acceptLoss?: boolean
}

const undone: Undoing[] = [
  {
    of: 'share-sequences',
    what: 'a sequence that counts by one',
    undo: () =>
      sql('c', 'shop', 'CREATE SEQUENCE public.made_since', 'ALTER SEQUENCE public.made_since INCREMENT BY 1'),
    says: /^postgres_database\/n2:shop may draw numbers that other nodes draw too, by .*made_since/,
  },
  {
    of: 'set-up-instance',
    what: 'a setting of the document, by ALTER SYSTEM',
    undo: () => sql('c', 'postgres', `ALTER SYSTEM SET work_mem = '1MB'`, reload),
    says: 'instance/n2-c is not as it should be: it does not have its settings: work_mem',
  },
  {
    of: 'set-up-instance',
    what: "a setting of Remodel's own, by ALTER SYSTEM",
    undo: () => sql('a', 'postgres', 'ALTER SYSTEM SET hot_standby_feedback = off', reload),
    says: 'instance/n1-a is not as it should be: it does not have its settings: hot_standby_feedback',
  },
  {
    of: 'set-up-instance',
    what: 'pg_hba.conf',
    undo: () => shell('c', `echo 'host all all 0.0.0.0/0 trust' > ${data}/pg_hba.conf`),
    says: 'instance/n2-c is not as it should be: another hand has changed its pg_hba.conf',
  },
  {
    of: 'set-up-instance',
    what: 'its file of settings',
    undo: () => shell('c', `sed -i s/^work_mem.*// ${data}/remodel.conf`),
    says: 'instance/n2-c is not as it should be: another hand has changed its remodel.conf',
  },
  {
    of: 'set-up-instance',
    what: 'a role is gone',
    undo: () => sql('c', 'postgres', 'DROP ROLE tester'),
    says: 'instance/n2-c is not as it should be: its roles are not as written: tester',
  },
  {
    of: 'set-up-instance',
    what: 'a password',
    undo: () => sql('c', 'postgres', `ALTER ROLE app PASSWORD 'another'`),
    says: 'instance/n2-c is not as it should be: its roles are not as written: app',
  },
  {
    of: 'set-up-instance',
    what: 'the end of a role',
    undo: () => sql('c', 'postgres', `ALTER ROLE app VALID UNTIL '2001-01-01'`),
    says: 'instance/n2-c is not as it should be: its roles are not as written: app',
  },
  {
    of: 'set-up-instance',
    what: 'the role of other servers',
    undo: () => sql('c', 'postgres', 'ALTER ROLE remodel_replication NOLOGIN'),
    says: 'instance/n2-c is not as it should be: its roles are not as written: remodel_replication',
  },
  {
    of: 'set-up-instance',
    what: 'the slot of the archive',
    undo: () => dropSlot('c', 'remodel_archive'),
    says: 'instance/n2-c is not as it should be: it keeps no log for its archive',
  },
  {
    of: 'restart-server',
    what: 'the server ends',
    async undo() {
      const machine = await stack.provider.connect('db-shop-c', null)
      await machine.stop(20_000)
      machine.close()
    },
    says: 'node/n2 takes no writes: n2-c is failing: its server on host c does not run',
  },
  {
    of: 'arrange-node',
    what: 'what commits wait for',
    undo: () => sql('a', 'postgres', `ALTER SYSTEM SET synchronous_standby_names = ''`, reload),
    says: 'node/n1 is not as it should be: its commits do not wait for what they were arranged to wait for',
  },
  {
    of: 'arrange-node',
    what: 'whom a replica follows',
    undo: () => sql('b', 'postgres', `ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'`, reload),
    says: 'instance/n1-b follows no other server',
  },
  {
    of: 'arrange-node',
    what: 'the file that says how a replica follows',
    undo: () => shell('b', `sed -i s/^primary_slot_name.*// ${data}/node.conf`),
    says: 'instance/n1-b is not as it should be: another hand has changed its node.conf',
  },
  {
    of: 'arrange-node',
    what: 'the slot of a replica',
    async undo() {
      await sql('b', 'postgres', 'SELECT pg_wal_replay_pause()')
      await shell('b', `sed -i s/^primary_slot_name.*// ${data}/node.conf`)
      await sql('b', 'postgres', reload)
      await dropSlot('a', 'instance_n1_b')
      await sql('b', 'postgres', 'SELECT pg_wal_replay_resume()')
    },
    says: 'node/n1 is not as it should be: n1-a keeps no log for n1-b',
  },
  {
    of: 'remove-instance',
    what: 'log is kept for an instance that is gone',
    undo: () => sql('a', 'postgres', `SELECT pg_create_physical_replication_slot('instance_n1_d', true)`),
    says: 'node/n1 is not as it should be: its log is kept for instance_n1_d, which no document names',
  },
  {
    of: 'switch-over',
    what: 'another server takes the writes',
    async undo() {
      const machine = await stack.provider.connect('db-shop-a', null)
      await sql('b', 'postgres', 'SELECT pg_promote()')
      await machine.stop(20_000)
      machine.close()
    },
    says: /^node\/n1 is not as it should be: n1-b takes its writes, and it was left with n1-a/,
  },
  {
    of: 'set-up-database',
    what: 'its owner',
    undo: () => sql('c', 'postgres', 'ALTER DATABASE shop OWNER TO tester'),
    says: 'postgres_database/n2:shop is not as it should be: its owner is tester, not app',
  },
  {
    of: 'set-up-database',
    what: 'clients are kept out',
    undo: () => sql('c', 'postgres', 'ALTER DATABASE shop ALLOW_CONNECTIONS false'),
    says: 'postgres_database/n2:shop is not as it should be: it lets no client in',
  },
  {
    of: 'set-up-database',
    what: 'clients can only read',
    undo: () => sql('c', 'postgres', 'ALTER DATABASE shop SET default_transaction_read_only = on'),
    says: 'postgres_database/n2:shop is not as it should be: its clients can only read',
  },
  {
    of: 'set-up-database',
    what: 'the publication',
    undo: () => sql('c', 'shop', 'DROP PUBLICATION remodel'),
    says: /^postgres_database\/n2:shop is not as it should be: publication remodel is gone/,
  },
  {
    of: 'set-up-database',
    what: 'what takes tables in that are made',
    undo: () => sql('c', 'shop', 'DROP EVENT TRIGGER remodel_take_in'),
    says: /^postgres_database\/n2:shop is not as it should be: event trigger remodel_take_in is gone/,
  },
  {
    of: 'open-node',
    what: 'it is closed',
    undo: () => shell('c', 'printf opening > /var/vcap/store/postgres/closed'),
    says: 'node/n2 lets no client in on n2-c',
  },
  {
    of: 'set-up-subscription',
    what: 'it stands still',
    undo: () => sql('c', 'shop', 'ALTER SUBSCRIPTION remodel_n1_n2 DISABLE'),
    says: 'subscription/n1:n2:shop is not as it should be: the subscription is disabled',
  },
  {
    of: 'set-up-subscription',
    what: 'it is gone',
    undo: () => sql('c', 'shop', ...dropLink('remodel_n1_n2')),
    says: 'subscription/n1:n2:shop is gone, or not recorded',
  },
  {
    of: 'set-up-subscription',
    what: 'what it takes',
    undo: () => sql('c', 'shop', 'ALTER SUBSCRIPTION remodel_n1_n2 SET (origin = any)'),
    says: 'subscription/n1:n2:shop is not as it should be: the subscription does not read what it was made to read',
  },
  {
    of: 'set-up-subscription',
    what: 'the servers that it knows',
    // It goes on reading from the primary, and would not find the other server.
    undo: async () => {
      const known = `host=${addressOf(wish.net, await head())} port=5432 dbname=shop`
      const follower = 'user=remodel_replication passfile=/var/vcap/store/postgres/passwords'
      await sql('c', 'shop', `ALTER SUBSCRIPTION remodel_n1_n2 CONNECTION '${known} ${follower}'`)
    },
    says: /^subscription\/n1:n2:shop is not as it should be: the subscription does not know of 127\.\d+\.0\.[12]:5432$/,
  },
  {
    of: 'create-slot',
    what: 'it is gone',
    undo: async () => {
      await sql('c', 'shop', ...dropLink('remodel_n1_n2'))
      await dropSlot(await head(), 'remodel_n1_n2')
    },
    says: 'replication_slot/n1:n2:shop is lost (it is gone): n2 misses what n1 wrote since',
    acceptLoss: true,
  },
  {
    of: 'delete-slot',
    what: 'it is there again',
    undo: () => sql('c', 'shop', `SELECT pg_create_logical_replication_slot('remodel_n2_n3', 'pgoutput')`),
    says: 'replication_slot/n2:n3:shop is gone, or not recorded',
  },
  {
    of: 'delete-subscription',
    what: 'it is there again',
    undo: () =>
      sql(
        'c',
        'shop',
        `CREATE SUBSCRIPTION remodel_n3_n2 CONNECTION 'host=127.0.0.1 port=1' PUBLICATION remodel WITH (connect = false, slot_name = NONE)`,
      ),
    says: 'subscription/n3:n2:shop is gone, or not recorded',
  },
  {
    of: 'back-up-node',
    what: 'the backups are gone',
    async undo() {
      const redis = connectRedis({ url: stack.redis.url, prefix: 'remodel' }, 'service')
      await redis.del(`${baseKey('remodel', 'shop')}:archive:backups`)
      redis.disconnect()
    },
    says: 'archive/n2 has no backup that goes with its log',
  },
  {
    of: 'create-host',
    what: 'the machine is gone',
    undo: () => stack.provider.deleteVm('db-shop-b', null),
    says: 'host/b is gone, or not recorded',
  },
  {
    of: 'delete-host',
    what: 'a machine is there again',
    async undo() {
      const { stemcell, ownership } = (await stack.provider.findVm('db-shop-c'))!
      const resource = JSON.parse(ownership.resource!)
      const attributes = { ...resource.attributes, vm: 'db-shop-d', disk: 'db-shop-d-data' }
      const again = { ...resource, attributes, identifier: { type: 'host', id: 'd' } }
      await stack.provider.createVm(
        {
          id: 'db-shop-d',
          stemcell,
          addresses: [],
          network: 'none',
          resources: {},
          ownership: { owner, purpose: 'host/d', resource: JSON.stringify(again) },
        },
        fence,
      )
    },
    says: 'host/d is gone, or not recorded',
  },
]

/** Each of these is followed, in every plan that has it, by one of those, whose work is undone above. */
const replaced = {
  'populate-node': ['set-up-subscription'],
  'promote-node': ['arrange-node'],
  'rename-node': ['create-slot', 'set-up-subscription', 'arrange-node'],
  'fail-over': ['arrange-node'],
  'drain-node': ['remove-instance', 'delete-host'],
}
/**
 * What they leave behind is what a later step of their plan begins with; behind the plan there is nothing of it that
 * another hand could undo.
 */
const passing = [
  'rehearse',
  'send-mark',
  'await-mark',
  'read-position',
  'advance-slot',
  'advance-origin',
  'prepare-restore',
  'archive-log',
  'restart-server',
]
const records = ['note-resource']

const named = async () =>
  (await client.verdict('shop', 0)).deviations.map(({ material, what }) => `${material} ${what}`)

describe('the verdict says what was undone behind the back of', () => {
  test('nothing, where nothing was', { timeout: 300_000 }, async () => {
    await deploy(client, wish, 200_000)
    await expect.poll(named, generous).toEqual([])
  })

  test.for(undone)('$of: $what', { timeout: 600_000 }, async ({ undo, says, acceptLoss = false }) => {
    await undo()
    await expect.poll(named, generous).toContainEqual(typeof says === 'string' ? says : expect.stringMatching(says))
    if (acceptLoss) await expect(deploy(client, wish)).rejects.toMatchObject({ code: 'invalid-input' })
    await deploy(client, wish, 200_000, { acceptLoss })
    await expect.poll(named, generous).toEqual([])
    const again = await client.plan({ manifest: { name: 'shop.yml', content: documentOf(wish) } })
    expect(again.plan.remodels.map(({ id }) => id)).toEqual([])
  })

  test('set-up-database: the database is gone; no plan makes it anew, empty', { timeout: 600_000 }, async () => {
    await ask(wish.net, 'c', `INSERT INTO entry VALUES ('kept', 'n2')`, 'app')
    await expect.poll(() => ask(wish.net, 'ab', 'SELECT id FROM entry'), generous).toEqual([['kept']])
    await sql('c', 'shop', ...dropLink('remodel_n1_n2'))
    await dropSlot('c', 'remodel_n2_n1')
    await sql('c', 'postgres', 'DROP DATABASE shop WITH (FORCE)')
    await expect.poll(named, generous).toContain('postgres_database/n2:shop is gone, or not recorded')
    await expect(deploy(client, wish)).rejects.toMatchObject({
      faults: [{ message: expect.stringMatching(/database shop of node n2 is gone: restore it/) }],
    })
    await deploy(client, { ...wish, nodes: { n1: 'ab' } }, 200_000)
    await deploy(client, { ...wish, source: { n2: 'n1' } }, 200_000)
    expect(await ask(wish.net, 'c', 'SELECT id FROM entry')).toEqual([['kept']])
    await expect.poll(named, generous).toEqual([])
  })

  test('every step that there is', { timeout: 300_000 }, async () => {
    const steps = readdirSync(new URL('../../../kinds/database/steps', import.meta.url))
      .filter((file) => file.endsWith('.ts'))
      .map((file) => file.replace('.ts', ''))
    const known = new Set([...undone.map(({ of }) => of), ...Object.keys(replaced), ...passing, ...records])
    expect([...known].sort()).toEqual(steps.sort())
    await remove(client)
  })
})
