import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Plan } from '../../../shared/model/plan.ts'
import { Field } from './field.ts'
import { fillDisk, makeRoomOn } from './full-disk.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

const machines = () => join(field.stack.home, 'machines')
const generous = { timeout: 120_000, interval: 300 }
const deviations = async () =>
  (await field.client.verdict('fill', 0)).deviations.map(({ material, what }) => `${material} ${what}`)
const isReplica = (host: string, address: number) =>
  field.sql('fill', host, address, 'SELECT pg_is_in_recovery()').catch(() => null)

async function rows(host: string, address: number): Promise<unknown> {
  let count: unknown
  await field.inDatabase('fill', host, address, async (session) => {
    count = await session.value('SELECT count(*)::int FROM item')
  })
  return count
}

describe('a server whose disk is full', { timeout: 1_200_000 }, () => {
  test('is failed over from while it runs, is left alone until there is room, and follows then', async () => {
    const document = field.document('D06-disk-full-primary/1-fill.yml')
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    await field.inDatabase('fill', 'p', 1, async (session) => {
      await session.query('SET synchronous_commit = on')
      await session.query(`INSERT INTO item SELECT g, 'p' FROM generate_series(1, 500) g`)
    })
    await fillDisk(machines(), 'db-fill-p')
    await expect.poll(() => isReplica('p', 1), generous).toBe(false)
    await expect.poll(deviations, generous).toContainEqual(expect.stringMatching(/n1-p .*disk.* is full/))

    const moved = document.replace('primary_host_id: p', 'primary_host_id: q')
    const plan = (await field.plan(moved)) as Plan
    expect(plan.notes.join('\n')).toMatch(/the disk of n1-p is full: it is ended/)
    expect(plan.remodels[0]?.id).toBe('fail-over node/n1')
    expect(plan.remodels.filter(({ material }) => material === 'instance/n1-p')).toEqual([])
    expect(await field.carryOut(plan)).toMatchObject({ state: 'done', said: '' })
    expect(await isReplica('q', 2)).toBe(false)
    expect(await rows('q', 2)).toBe(500)

    await fillDisk(machines(), 'db-fill-p')
    const again = (await field.plan(moved)) as Plan
    expect(again.notes.join('\n')).toMatch(/the disk of n1-p is full: nothing is written on it before there is room/)
    expect(again.remodels.map(({ id }) => id)).toEqual([])
    expect(await deviations()).toContainEqual(expect.stringMatching(/n1-p .*the disk of host p is full/))
    await field.inDatabase('fill', 'q', 2, async (session) => {
      await session.query(`INSERT INTO item SELECT g, 'q' FROM generate_series(501, 600) g`)
    })

    await makeRoomOn(machines(), 'db-fill-p')
    expect(await field.deploy(moved)).toMatchObject({ state: 'done', said: '' })
    expect(await isReplica('p', 1)).toBe(true)
    await expect.poll(() => rows('p', 1), generous).toBe(600)
    await expect.poll(deviations, generous).toEqual([])
  })

  test('and that has no replica is named by the plan, and runs again with all rows when there is room', async () => {
    const both = field.document('D06-disk-full-primary/1-fill.yml')
    const document = both.replace('host_ids: [p, q], primary_host_id: p', 'host_ids: [q]')
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    await fillDisk(machines(), 'db-fill-q')
    const plan = (await field.plan(document)) as Plan
    expect(plan.notes.join('\n')).toMatch(/no replica that could take over: the disk of n1-q is full: make room on it/)
    await makeRoomOn(machines(), 'db-fill-q')
    expect(await field.deploy(document)).toMatchObject({ state: 'done', said: '' })
    expect(await rows('q', 2)).toBe(600)
  })
})
