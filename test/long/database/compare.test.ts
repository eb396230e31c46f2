import { afterAll, beforeAll, expect, test } from 'vitest'
import { remodel } from '../../cli/remodel.ts'
import { Field } from './field.ts'
import { documentOf } from './support.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
}, 240_000)
afterAll(() => field.close())

const run = (...args: string[]) =>
  remodel([...args, '--planner', field.client.address.url], { env: { REMODEL_HOME: field.stack.home } })

async function onNode(host: string, address: number, ...statements: string[]): Promise<void> {
  await field.inDatabase('shop', host, address, async (session) => {
    for (const statement of statements) await session.query(statement)
  })
}

test('a difference that was made by hand is named, and the same nodes are the same without it', {
  timeout: 600_000,
}, async () => {
  const content = documentOf({ net: field.net, nodes: { n1: 'a', n2: 'b' } })
  expect(await field.deploy(content)).toMatchObject({ state: 'done', said: '' })
  await onNode(
    'a',
    1,
    `INSERT INTO item SELECT 'k' || n, 'n1' FROM generate_series(1, 12000) n`,
    `INSERT INTO entry VALUES ('e', 'n1')`,
  )
  const same = await run('database', 'compare', 'shop')
  expect(same.code, same.stdout + same.stderr).toBe(0)
  expect(same.stdout).toMatch(/^shop: all nodes have the same \(2 tables of n1, n2\)/)
  expect(same.stdout).toMatch(/public\.entry +1 +1 +same +none/)
  expect(same.stdout).toMatch(/public\.item +12,000 +12,000 +same/)
  await onNode(
    'b',
    2,
    `SELECT pg_replication_origin_create('by hand')`,
    `SELECT pg_replication_origin_session_setup('by hand')`,
    `DELETE FROM item WHERE id = 'k77'`,
  )
  const differs = await run('database', 'compare', 'shop')
  expect(differs.code).toBe(1)
  expect(differs.stdout).toMatch(/^shop: public\.item differs between nodes/)
  expect(differs.stdout).toContain('id = k77: not on n2')
  const found = JSON.parse((await run('database', 'compare', 'shop', '--json')).stdout)
  expect(found.tables.map(({ name, state }: { name: string; state: string }) => [name, state])).toEqual([
    ['public.entry', 'same'],
    ['public.item', 'differs'],
  ])
  expect((await run('database', 'shop', 'compare')).code).toBe(2)
  expect(await run('database', 'compare', 'nothing')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no database'),
  })
})
