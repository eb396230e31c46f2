import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { forgetPlaces, keepPlace, takeUpPlace } from '../../../kinds/database/server/kept-place.ts'
import { dropSubscription, ensureSubscription } from '../../../kinds/database/server/subscribe.ts'
import { TwoNodes } from './servers.ts'

/** n2 reads from n1; `early` is a copy of its slot that has heard nothing of what n2 has since. */
const name = 'remodel_n1_n2'
const line = 'abc123'
const limit = { timeout: 60_000 }
let nodes: TwoNodes
beforeEach(async () => {
  nodes = await TwoNodes.open('CREATE TABLE entry (id text NOT NULL)')
  await nodes.n1.query('CREATE ROLE remodel_replication LOGIN SUPERUSER')
  await ensureSubscription(nodes.n2, link(), line)
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

async function linkAgain(reading: string): Promise<boolean> {
  await ensureSubscription(nodes.n2, link(), reading)
  const taken = await takeUpPlace(nodes.n2, link(), reading)
  await nodes.n2.query(`ALTER SUBSCRIPTION ${name} ENABLE`)
  await forgetPlaces(nodes.n2, 'n1')
  return taken
}

async function keepAndDrop(): Promise<void> {
  await write('before')
  await expect.poll(entries, limit).toEqual(['before'])
  await keepPlace(nodes.n2, link(), new AbortController().signal)
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
    expect(await linkAgain('def456')).toBe(false)
    await write('then')
    await expect.poll(entries, limit).toEqual(['before', 'before', 'meanwhile', 'then'])
  })

  test('keeps its place over being made and dropped again before it has run', async () => {
    await keepAndDrop()
    await ensureSubscription(nodes.n2, link(), line)
    await keepPlace(nodes.n2, link(), new AbortController().signal)
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
    await ensureSubscription(nodes.n2, link(), line)
    expect(await nodes.n2.value(known)).toBe(before)
    await ensureSubscription(nodes.n2, link(), 'def456')
    expect(await nodes.n2.value(known)).not.toBe(before)
    const seen = `SELECT obj_description(oid, 'pg_subscription') || ', ' || subenabled FROM pg_subscription`
    expect(await nodes.n2.value(seen)).toBe('reads line def456, false')
  })
})
