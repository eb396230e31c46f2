import { describe, expect, test } from 'vitest'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import { emptyFloorplan } from '../../../shared/model/material.ts'
import { nameKey, ReservedNames } from '../../../shared/model/reservation.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { builtBy } from './built.ts'
import { documentOf } from './document.ts'

// biome-ignore lint/suspicious/noExplicitAny: documents are bent here in every way.
type Value = any

const good = { net: 80, nodes: { n1: 'ab', n2: 'c' } }
const spare = { id: 'spare', address: '127.80.0.26' }

/** A document of hosts a, b, c and `spare`, changed, in one line a key. */
function text(change: (value: Value) => void): string {
  const value = JSON.parse(documentOf(good))
  value.hosts.push({ ...spare })
  change(value)
  return JSON.stringify(value, null, 2)
}

const plan = (content: string, materials: Value[] = []) =>
  planOffline({
    files: [{ name: 'shop.yml', content }],
    releases: [],
    options: {},
    floorplan: { deployment: 'shop', version: 1, materials },
  })

/** What a document is refused with, planned against two nodes that stand. */
async function refusal(change: (value: Value) => void): Promise<RemodelError> {
  const actual = builtBy(await plan(text(() => {})))
  const outcome = await plan(text(change), actual).catch((error) => error)
  expect(outcome, 'it was planned').toBeInstanceOf(RemodelError)
  return outcome
}

const added = (more: object) => (value: Value) => value.nodes.push({ name: 'n3', host_ids: ['spare'], ...more })

describe('a database document is refused with file, line, path and a way out', () => {
  test.for<[what: string, change: (value: Value) => void, path: string, message: string, way: string]>([
    [
      'a node that is named twice',
      added({ name: 'n2' }),
      'nodes[2].name',
      'node n2 is named twice: give one of them another name',
      '',
    ],
    [
      'a node that would draw the numbers of another one',
      added({ name: 'n18' }),
      'nodes[2].name',
      'node n18 would draw the same numbers from sequences as node n2, as their numbers have one remainder by 16: give it another name',
      '',
    ],
    [
      'a host that is named twice',
      (value) => value.hosts.push({ ...spare, address: '127.80.0.27' }),
      'hosts[4].id',
      'host spare is named twice: give one of them another id',
      '',
    ],
    [
      'two hosts of one address',
      (value) => value.hosts.push({ ...spare, id: 'other' }),
      'hosts[4].address',
      'is the address of host spare: each host has one of its own',
      '',
    ],
    [
      'a host twice in one node',
      (value) => value.nodes[0].host_ids.push('a'),
      'nodes[0].host_ids[2]',
      'node n1 has more than one instance on host a',
      'spare',
    ],
    [
      'a host of two nodes',
      (value) => value.nodes[1].host_ids.push('a'),
      'nodes[1].host_ids[1]',
      'host a has an instance of node n1 already',
      'spare',
    ],
    [
      'a host that there is not',
      added({ host_ids: ['spar'] }),
      'nodes[2].host_ids[0]',
      'there is no host spar',
      'did you mean spare?',
    ],
    ['a node that is its own source', added({ source_node: 'n3' }), 'nodes[2].source_node', 'names itself', 'n1, n2'],
    [
      'a source that is new itself',
      (value) => {
        value.hosts.push({ id: 'more', address: '127.80.0.27' })
        added({ source_node: 'n4' })(value)
        added({ name: 'n4', host_ids: ['more'] })(value)
      },
      'nodes[2].source_node',
      'new nodes n4 cannot be used as source nodes',
      'n1, n2',
    ],
    [
      'a source that there is not',
      added({ source_node: 'n9' }),
      'nodes[2].source_node',
      'names n9, which does not exist',
      'n1, n2',
    ],
    [
      'a primary elsewhere',
      (value) => Object.assign(value.nodes[0], { primary_host_id: 'c' }),
      'nodes[0].primary_host_id',
      'c is no host of node n1',
      'a, b',
    ],
    ['the name of a node', added({ name: 'web' }), 'nodes[2].name', 'n followed by digits', 'web'],
    [
      'the name of a database',
      (value) => Object.assign(value, { database_name: '1shop' }),
      'database_name',
      '1 to 31 letters',
      '1shop',
    ],
    ['the name of a deployment', (value) => Object.assign(value, { name: 'Shop!' }), 'name', 'lower-case', 'Shop!'],
    ['the name of a host', (value) => Object.assign(value.hosts[3], { id: 'A b' }), 'hosts[3].id', 'lower-case', 'A b'],
    [
      'the name of a user',
      (value) => Object.assign(value.database_users[0], { username: 'a b' }),
      'database_users[0].username',
      '1 to 31 letters',
      'a b',
    ],
    [
      'a user twice',
      (value) => value.database_users.push({ username: 'app' }),
      'database_users[2].username',
      'user app is named twice: take one of them out',
      '',
    ],
    [
      "Remodel's own role",
      (value) => value.database_users.push({ username: 'remodel' }),
      'database_users[2].username',
      'is the role that Remodel works as: choose another name',
      '',
    ],
    ...['template0', 'template1', 'postgres'].map((name): [string, (value: Value) => void, string, string, string] => [
      `the database ${name}`,
      (value) => Object.assign(value, { name: 'shop', database_name: name }),
      'database_name',
      'is a database that every server has for itself',
      '',
    ]),
    ...['postgres', 'public', 'none', 'pg_app', 'remodel_x'].map(
      (username): [string, (value: Value) => void, string, string, string] => [
        `the user ${username}`,
        (value) => value.database_users.push({ username, password: 'x' }),
        'database_users[2].username',
        'choose another',
        '',
      ],
    ),
    [
      'another port for a node that stands',
      (value) => Object.assign(value.nodes[0], { port: 5544 }),
      'nodes[0].port',
      'node n1 stands at port 5432, which does not change',
      '',
    ],
    [
      'another port for all of them',
      (value) => {
        value.port = 5544
      },
      'port',
      'which does not change',
      '',
    ],
    [
      'another name of the database',
      (value) => Object.assign(value, { name: 'shop', database_name: 'shop2' }),
      'database_name',
      'this deployment is database shop, which is not renamed',
      '',
    ],
    [
      'another name of a host',
      (value) => {
        value.hosts[2].id = 'z'
        value.nodes[1].host_ids = ['z']
      },
      'nodes[1].host_ids[0]',
      'the address of host z is that of host c, which stands',
      '',
    ],
    [
      'a setting that Remodel decides',
      (value) => Object.assign(value.nodes[0], { postgresql_conf: { wal_level: 'minimal' } }),
      'nodes[0].postgresql_conf.wal_level',
      'is decided by Remodel: leave it out',
      '',
    ],
    ['a node without hosts', (value) => (value.nodes[1].host_ids = []), 'nodes[1].host_ids', 'at least 1 entry', '[]'],
    [
      'a key that there is not',
      added({ host_id: ['spare'] }),
      'nodes[2].host_id',
      'unknown key',
      'did you mean host_ids?',
    ],
  ])('%s', async ([_what, change, path, message, way]) => {
    const { code, faults } = await refusal(change)
    expect(code).toBe('invalid-input')
    expect(faults).toHaveLength(1)
    const [fault] = faults
    expect(fault).toMatchObject({ file: 'shop.yml', line: expect.any(Number), path })
    expect(fault!.line, 'the line of the place').toBeGreaterThan(1)
    expect(fault!.message).toContain(message)
    const { found, allowed, suggestion } = fault!
    expect([found, allowed, suggestion && `did you mean ${suggestion}?`].join(' | ')).toContain(way)
  })

  test('an address that another deployment uses', async () => {
    const { kind } = await import('../../../kinds/database/kind.ts')
    const { SourceDocument } = await import('../../../shared/source/document.ts')
    const catalog = { releases: [], created: {}, stemcells: [], configs: { cloud: [], runtime: [] } }
    const blueprint = kind.architect(new SourceDocument('shop.yml', documentOf(good)), catalog)
    const name = { type: 'address', scope: '', name: '127.80.0.3' }
    const reserved = new ReservedNames([new Map([[nameKey(name), 'other']])])
    const options = { recreate: false, remove: false, skipDrain: false }
    const drawn = kind.foreman(blueprint, emptyFloorplan('shop'), options, { reserved })
    await expect(drawn).rejects.toMatchObject({
      faults: [
        {
          path: 'nodes[1].host_ids[0]',
          message: 'host c has the address 127.80.0.3, which is held by deployment other',
        },
      ],
    })
  })

  test('all nodes replaced by empty ones, unless data loss is allowed', async () => {
    const replace = (value: Value) => {
      value.nodes = [{ name: 'n3', host_ids: ['spare'] }]
    }
    expect((await refusal(replace)).details).toMatchObject({ error_class: 'data_loss' })
    const actual = builtBy(await plan(text(() => {})))
    const allowed = text((value) => Object.assign(value, { data_loss: true }, replace(value)))
    expect((await plan(allowed, actual)).remodels.length).toBeGreaterThan(0)
  })
})
