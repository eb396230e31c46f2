import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { along, type ReadLine } from '../../../../kinds/database/archiving/line.ts'
import { forgetPlaces, keepPlace, takeUpPlace } from '../../../../kinds/database/server/kept-place.ts'
import { dropSubscription, ensureSubscription } from '../../../../kinds/database/server/subscribe.ts'
import { TwoNodes } from './servers.ts'

/** n2 reads from n1; `early` is a copy of its slot that has heard nothing of what n2 has since. */
const name = 'remodel_n1_n2'
const line: ReadLine = { name: 'abc123', before: new Map() }
const other: ReadLine = { name: 'def456', before: new Map() }
const { signal } = new AbortController()
const limit = { timeout: 60_000 }
let nodes: TwoNodes
beforeEach(async () => {
  nodes = await TwoNodes.open('CREATE TABLE entry (id text NOT NULL)')
  await nodes.n1.query('CREATE ROLE remodel_replication LOGIN SUPERUSER')
  await ensureSubscription(nodes.n2, link(), line, signal)
  await nodes.n1.query(`SELECT pg_copy_logical_replication_slot('${name}', 'early')`)
})
afterEach(() => nodes.close())

const link = () => ({ provider: 'n1', subscriber: 'n2', database: 'postgres', members: nodes.members, verified: false })
const entries = async () => (await nodes.n2.query('SELECT id FROM entry ORDER BY id')).map(({ id }) => id)
const write = (id: string) => nodes.n1.query('INSERT INTO entry VALUES ($1)', [id])
const places = () => nodes.n2.value(`SELECT count(*)::int FROM pg_replication_origin WHERE roname LIKE 'remodel%'`)

/** The slot is as a crash of its server leaves it: it has not heard how far n2 has come. */
async function fallBack(): Promise<void> {
  await expect
    .poll(() => nodes.n1.value(`SELECT pg_drop_replication_slot('${name}')`).then(String, String), limit)
    .not.toMatch(/active/)
  await nodes.n1.query(`SELECT pg_copy_logical_replication_slot('early', '${name}')`)
}

async function linkAgain(reading: ReadLine): Promise<boolean> {
  await ensureSubscription(nodes.n2, link(), reading, signal)
  const taken = await takeUpPlace(nodes.n2, link(), reading)
  await nodes.n2.query(`ALTER SUBSCRIPTION ${name} ENABLE`)
  await forgetPlaces(nodes.n2, 'n1')
  return taken
}

async function keepAndDrop(): Promise<void> {
  await write('before')
  await expect.poll(entries, limit).toEqual(['before'])
  await keepPlace(nodes.n2, link(), signal)
  await dropSubscription(nodes.n2, name)
  await write('meanwhile')
  await fallBack()
}

describe('a subscription that is dropped and made anew', { timeout: 120_000 }, () => {
  test('goes on from its place: no row comes twice and none is missing, whatever its slot has heard', async () => {
    await keepAndDrop()
    expect(await places()).toBe(1)
    expect(await linkAgain(line)).toBe(true)
    await write('then')
    await expect.poll(entries, limit).toEqual(['before', 'meanwhile', 'then'])
    expect(await places()).toBe(0)
  })

  test('begins at its slot where the provider was restored meanwhile: a place of other data says nothing', async () => {
    await keepAndDrop()
    expect(await linkAgain(other)).toBe(false)
    await write('then')
    await expect.poll(entries, limit).toEqual(['before', 'before', 'meanwhile', 'then'])
  })

  test('keeps its place over being made and dropped again before it has run', async () => {
    await keepAndDrop()
    await ensureSubscription(nodes.n2, link(), line, signal)
    await keepPlace(nodes.n2, link(), signal)
    await dropSubscription(nodes.n2, name)
    expect(await linkAgain(line)).toBe(true)
    await expect.poll(entries, limit).toEqual(['before', 'meanwhile'])
  })
})

describe('a subscription of a node that was away while its provider was restored', { timeout: 120_000 }, () => {
  test('is made anew: its position means nothing in the data that its provider has now', async () => {
    await write('before')
    await expect.poll(entries, limit).toEqual(['before'])
    const known = 'SELECT oid::int FROM pg_subscription'
    const before = await nodes.n2.value(known)
    await ensureSubscription(nodes.n2, link(), line, signal)
    expect(await nodes.n2.value(known)).toBe(before)
    await ensureSubscription(nodes.n2, link(), other, signal)
    expect(await nodes.n2.value(known)).not.toBe(before)
    const seen = `SELECT obj_description(oid, 'pg_subscription') || ', ' || subenabled FROM pg_subscription`
    expect(await nodes.n2.value(seen)).toBe('reads line def456, false')
  })
})

describe('a reader of a node whose data forked, as a server took over that did not have all of its log', {
  timeout: 120_000,
}, () => {
  const seen = `SELECT obj_description(oid, 'pg_subscription') || ', ' || subenabled FROM pg_subscription`
  const position = () => nodes.n1.value('SELECT pg_current_wal_insert_lsn()::text')

  test('goes on from the fork: what was there before does not come twice, what is written since comes', async () => {
    await write('before')
    await expect.poll(entries, limit).toEqual(['before'])
    const fork = new Map([[line.name, String(await position())]])
    await write('lost')
    await expect.poll(entries, limit).toEqual(['before', 'lost'])
    await ensureSubscription(nodes.n2, link(), { name: 'def456', before: fork }, signal)
    expect(await nodes.n2.value(seen)).toBe('reads line def456, false')
    await fallBack()
    await nodes.n2.query(`ALTER SUBSCRIPTION ${name} ENABLE`)
    await write('since')
    // This server has not lost it: it stands for what a new primary writes at the same place of its log.
    await expect.poll(entries, limit).toEqual(['before', 'lost', 'lost', 'since'])
  })

  test('that lies behind the fork stays where it is', async () => {
    await write('before')
    await expect.poll(entries, limit).toEqual(['before'])
    await nodes.n2.query(`ALTER SUBSCRIPTION ${name} DISABLE`)
    await write('meanwhile')
    const fork = new Map([[line.name, String(await position())]])
    await ensureSubscription(nodes.n2, link(), { name: 'def456', before: fork }, signal)
    await nodes.n2.query(`ALTER SUBSCRIPTION ${name} ENABLE`)
    await expect.poll(entries, limit).toEqual(['before', 'meanwhile'])
  })

  test('takes a kept place up to the fork only', async () => {
    await write('before')
    await expect.poll(entries, limit).toEqual(['before'])
    const fork = new Map([[line.name, String(await position())]])
    await write('lost')
    await expect.poll(entries, limit).toEqual(['before', 'lost'])
    await keepPlace(nodes.n2, link(), signal)
    await dropSubscription(nodes.n2, name)
    await fallBack()
    expect(await linkAgain({ name: 'def456', before: fork })).toBe(true)
    await expect.poll(entries, limit).toEqual(['before', 'lost', 'lost'])
  })

  test('that misses two forks goes back to the earlier one', () => {
    const forks = [
      { line: 'c', before: 'b', at: '0/200' },
      { line: 'b', before: 'a', at: '0/300' },
      { line: 'z', before: 'y', at: '0/1' },
    ]
    expect(along('a', forks)).toEqual({
      name: 'c',
      before: new Map([
        ['a', '0/200'],
        ['b', '0/200'],
      ]),
    })
    expect(along('x', forks)).toEqual({ name: 'x', before: new Map() })
  })
})
