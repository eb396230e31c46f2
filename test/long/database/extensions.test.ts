import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServices, type TestStack } from '../../support/services.ts'
import { ownNet } from './net.ts'
import { ask, deploy, documentOf, tables, type Wish } from './support.ts'

let stack: TestStack
const net = await ownNet()
const wish: Wish = { net, nodes: { n1: 'ab', n2: 'c' } }
const both = ['ab', 'c']

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 })
}, 120_000)

afterAll(() => stack.stop())

const planOf = async (wanted: Wish) =>
  (await stack.client().plan({ manifest: { name: 'shop.yml', content: documentOf(wanted) } })).plan
const extensionsOn = (hosts: string) =>
  ask(net, hosts, `SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1`).then((rows) => rows.flat())

/** One database; each test goes on where the one before it ended. */
describe('extensions of a document', { timeout: 240_000 }, () => {
  test('are there on every node, with what they rest on, before the statements of the document run', async () => {
    const script = [...tables, 'CREATE INDEX ON item USING gin (node gin_trgm_ops)']
    await deploy(stack.client(), { ...wish, script, extensions: ['pg_trgm', 'earthdistance'] }, 180_000)
    for (const hosts of both) expect(await extensionsOn(hosts)).toEqual(['cube', 'earthdistance', 'pg_trgm'])
    expect((await planOf({ ...wish, script, extensions: ['earthdistance', 'pg_trgm'] })).remodels).toEqual([])
  })

  test('come to a database that stands, and their library where servers load one at their start', async () => {
    const more = { extensions: ['pg_trgm', 'earthdistance', 'pg_stat_statements'] }
    const settings = { shared_preload_libraries: 'pg_stat_statements' }
    const plan = await planOf({ ...wish, ...more, settings })
    expect(plan.consequences).toContain('extension pg_stat_statements comes: nothing is interrupted')
    expect(plan.consequences).toContain('n1-a restarts once: no writes on n1 for about 1 s, and its sessions end')
    await deploy(stack.client(), { ...wish, ...more, settings }, 180_000)
    for (const hosts of both) {
      expect(await extensionsOn(hosts)).toContain('pg_stat_statements')
      expect(await ask(net, hosts, 'SELECT count(*) > 0 FROM pg_stat_statements')).toEqual([[true]])
    }
  })

  test('that left the document go, but for one that something rests on: no index is dropped', async () => {
    await deploy(stack.client(), { ...wish, extensions: [] }, 180_000)
    for (const hosts of both) {
      expect(await extensionsOn(hosts)).toEqual(['cube', 'pg_trgm'])
      expect(
        await ask(net, hosts, `SELECT count(*)::int FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%'`),
      ).toEqual([[1]])
    }
    expect((await planOf({ ...wish, extensions: [] })).remodels).toEqual([])
  })

  test('that are on a node are on one that is added', async () => {
    const three = { ...wish, nodes: { ...wish.nodes, n3: 'd' }, source: { n3: 'n1' }, extensions: ['hstore'] }
    await deploy(stack.client(), three, 180_000)
    for (const hosts of [...both, 'd']) expect(await extensionsOn(hosts)).toContain('hstore')
  })
})
