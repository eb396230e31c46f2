import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ComparedTable } from '../../../../kinds/database/api/comparison.ts'
import { compareNodes, usualLimits } from '../../../../kinds/database/postgres/comparison/compare.ts'
import type { Session } from '../../../../kinds/database/postgres/server.ts'
import { TwoNodes } from '../links/servers.ts'

let nodes: TwoNodes
beforeAll(async () => {
  nodes = await TwoNodes.open(
    'CREATE TABLE item (id int PRIMARY KEY, name text, at timestamptz DEFAULT now())',
    `CREATE TABLE "Two words" (a int, "B c" text, v numeric, PRIMARY KEY ("B c", a))`,
    'CREATE TABLE entry (name text)',
  )
  await nodes.n1.query(`INSERT INTO item SELECT n, 'of n1' FROM generate_series(1, 2500) n`)
  await nodes.n2.query(`INSERT INTO item SELECT n, 'of n2' FROM generate_series(5001, 6000) n`)
  await nodes.n1.query(`INSERT INTO "Two words" SELECT n, 'k' || n % 7, n / 3.0 FROM generate_series(1, 500) n`)
  await nodes.n2.query(`INSERT INTO entry SELECT 'twice' FROM generate_series(1, 2)`)
}, 60_000)
afterAll(() => nodes.close())

const limits = { ...usualLimits, batch: 200, named: 5 }
const compare = () => compareNodes(nodes.own, limits)
const find = (tables: readonly ComparedTable[], name: string) =>
  tables.find((table) => table.name === `public.${name}`)!

/** On one node only: a change that other nodes do not hear of. */
async function byHand(node: 'n1' | 'n2', sql: string): Promise<void> {
  await nodes[node].query(
    `SELECT pg_replication_origin_create('by hand') WHERE NOT EXISTS (SELECT FROM pg_replication_origin WHERE roname = 'by hand')`,
  )
  await nodes[node].query(`SELECT pg_replication_origin_session_setup('by hand')`)
  try {
    // Subscriptions take nothing that has an origin.
    await nodes[node].query(sql)
  } finally {
    await nodes[node].query('SELECT pg_replication_origin_session_reset()')
  }
}

describe('nodes that are compared', { timeout: 120_000 }, () => {
  test('are the same when everything has arrived, whatever settings their sessions have', async () => {
    await nodes.own.get('n2')!.query(`SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'`)
    const { tables, behind } = await compare()
    expect(behind).toEqual([])
    expect(tables.map(({ name, state, keyed, rows }) => [name, state, keyed, rows])).toEqual([
      ['public.Two words', 'same', true, { n1: 500, n2: 500 }],
      ['public.entry', 'same', false, { n1: 2, n2: 2 }],
      ['public.item', 'same', true, { n1: 3500, n2: 3500 }],
    ])
    for (const { digests } of tables) expect(digests.n1).toBe(digests.n2)
  })

  test('are named with the table, the number of rows and the first keys where one has other rows', async () => {
    await byHand('n2', `DELETE FROM item WHERE id = 7; UPDATE item SET name = 'changed' WHERE id IN (2400, 5500)`)
    await byHand('n1', `INSERT INTO "Two words" VALUES (900, 'it''s "so"', 1)`)
    await byHand('n1', `INSERT INTO entry VALUES ('once')`)
    const { tables } = await compare()
    const item = find(tables, 'item')
    expect(item).toMatchObject({ state: 'differs', rows: { n1: 3500, n2: 3499 }, more: false })
    expect(item.differing.map(({ key, on }) => [key.id, on.n1 !== null, on.n2 !== null])).toEqual([
      ['7', true, false],
      ['2400', true, true],
      ['5500', true, true],
    ])
    expect(find(tables, 'Two words').differing).toEqual([
      { key: { 'B c': `it's "so"`, a: '900' }, on: { n1: expect.any(String), n2: null } },
    ])
    expect(find(tables, 'entry')).toMatchObject({
      state: 'differs',
      keyed: false,
      rows: { n1: 3, n2: 2 },
      differing: [],
    })
  })

  test('have a limited number of keys named, and it is said that there are more', async () => {
    await byHand('n1', 'DELETE FROM item WHERE id BETWEEN 100 AND 1400')
    const item = find((await compare()).tables, 'item')
    expect(item).toMatchObject({ state: 'differs', more: true, rows: { n1: 2199, n2: 3499 } })
    expect(item.differing).toHaveLength(5)
  })

  test('are looked at again when what was on its way has arrived', async () => {
    const holding = await nodes.another('n2')
    await holding.query('BEGIN; LOCK TABLE item IN SHARE MODE')
    await nodes.n1.query(`INSERT INTO item VALUES (-9, 'on its way')`)
    let answers = 0
    /** The other node gets the row when both have been asked for theirs. */
    const hooked = (session: Session): Session => ({
      ...session,
      async query(sql, values) {
        const rows = await session.query(sql, values)
        if (JSON.stringify([sql, values]).includes('AS key, hash') && ++answers === 2) await holding.query('ROLLBACK')
        return rows
      },
    })
    try {
      const sessions = new Map([...Object.entries({ n1: hooked(nodes.n1), n2: hooked(nodes.n2) })])
      const { tables } = await compareNodes(sessions, { ...limits, arrivalMs: 2000 })
      expect(answers).toBeGreaterThan(2)
      expect(find(tables, 'item').differing.map(({ key }) => key.id)).not.toContain('-9')
    } finally {
      await holding.close()
    }
  })

  test('are compared under writers: a row on its way is no difference, a missing one is', async () => {
    await byHand('n1', `TRUNCATE item, entry, "Two words"`)
    await byHand('n2', `TRUNCATE item, entry, "Two words"`)
    await byHand('n2', `INSERT INTO item VALUES (-1, 'only here', '2026-01-01Z')`)
    let stop = false
    const writing = (['n1', 'n2'] as const).map(async (node, at) => {
      const session = await nodes.another(node)
      for (let n = at; !stop; n += 2) {
        await session.query(`INSERT INTO item VALUES (${n}, 'written'); INSERT INTO entry VALUES ('w${n}')`)
        await session.query(`UPDATE item SET name = name || '.' WHERE id = ${n % 20 === at ? at : n}`)
      }
      await session.close()
    })
    try {
      const written = () => nodes.n1.value('SELECT count(*)::int FROM item')
      await expect.poll(written, { timeout: 60_000 }).toBeGreaterThan(100)
      for (let n = 0; n < 5; n++) {
        const { tables, behind } = await compare()
        expect(behind).toEqual([])
        const item = find(tables, 'item')
        expect(item.differing.map(({ key }) => key)).toEqual([{ id: '-1' }])
        expect(find(tables, 'entry').state).not.toBe('differs')
      }
    } finally {
      stop = true
      await Promise.all(writing)
    }
  })

  test('are named as behind where a link carries nothing, and lack what they lack', async () => {
    await nodes.n2.query('ALTER SUBSCRIPTION remodel_n1_n2 DISABLE')
    await nodes.n1.query(`INSERT INTO item VALUES (-5, 'does not arrive')`)
    await nodes.n1.query('ALTER TABLE entry ADD COLUMN more text; CREATE TABLE extra (id int PRIMARY KEY)')
    const sessions = new Map(Object.entries({ n1: nodes.n1, n2: nodes.n2 }))
    const { tables, behind } = await compareNodes(sessions, { ...limits, arrivalMs: 200 })
    expect(behind).toEqual(['n2 has not got all that n1 has written'])
    expect(find(tables, 'item').differing.map(({ key }) => key)).toContainEqual({ id: '-5' })
    expect(find(tables, 'entry')).toMatchObject({ state: 'differs', lacking: { n2: ['more'] } })
    expect(find(tables, 'extra')).toMatchObject({ state: 'differs', rows: { n1: 0, n2: null } })
  })
})
