import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Plan } from '../../../shared/model/plan.ts'
import { Field } from './field.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

describe('a restore that fails when the data was laid aside', { timeout: 900_000 }, () => {
  test('is given up by taking it out of the document: every node comes back as it was', async () => {
    const shop = field.document('D01-restore-undo-empties/1-shop.yml')
    expect(await field.deploy(shop)).toMatchObject({ state: 'done', said: '' })
    await field.inDatabase('shop', 'a', 1, async (session) => {
      await session.query(`INSERT INTO item SELECT g, 'precious' FROM generate_series(1, 5000) g`)
    })
    await field.inDatabase('shop', 'c', 3, async (session) => {
      await expect.poll(() => session.value('SELECT count(*)::int FROM item'), { timeout: 60_000 }).toBe(5000)
    })
    const plan = (await field.plan(
      `${shop.trimEnd()}\nrestore_config: { restore_options: { type: immediate } }\n`,
    )) as Plan
    expect(plan.remodels.length).toBeGreaterThan(0)
    await field.stall('restore.fetched')
    await field.client.apply(plan.id, {})
    const aside = '/var/vcap/store/postgres/aside'
    for (const vm of ['db-shop-a', 'db-shop-c']) {
      await expect.poll(() => field.isThere(vm, aside), { timeout: 240_000 }).toBe(true)
    }
    await field.client.cancel(plan.id)
    await field.replaceAssemblers()
    expect(['cancelled', 'failed']).toContain((await field.ended(plan)).state)
    await field.arm('set-up-instance.put-back')
    const undo = (await field.plan(shop)) as Plan
    expect(undo.consequences?.join('\n')).toMatch(/the restore of n1 is given up: it comes back as it was, on n1-a/)
    expect(await field.carryOut(undo, 400_000)).toMatchObject({ state: 'done', said: '' })
    expect(field.died).toEqual(['set-up-instance.put-back'])
    for (const [host, address] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['d', 4],
    ] as const) {
      await field.inDatabase('shop', host, address, async (session) => {
        expect(await session.value('SELECT count(*)::int FROM item')).toBe(5000)
      })
    }
    await field.inDatabase('shop', 'c', 3, async (session) => {
      await session.query(`INSERT INTO item VALUES (9000, 'later')`)
    })
    await field.inDatabase('shop', 'a', 1, async (session) => {
      await expect.poll(() => session.value('SELECT 1 FROM item WHERE id = 9000'), { timeout: 60_000 }).toBe(1)
    })
  })
})
