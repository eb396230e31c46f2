import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Plan } from '../../../shared/model/plan.ts'
import { Field } from './field.ts'
import { freeze as freezeMachine } from './freeze.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

const freeze = (vm: string) => freezeMachine(join(field.stack.home, 'machines'), vm)

describe('a machine that is frozen', { timeout: 600_000 }, () => {
  test('with a primary is ended, its replica takes over, and it follows on a new machine', async () => {
    const shop = field.document('D04-frozen-primary/1-shop.yml')
    expect(await field.deploy(shop)).toMatchObject({ state: 'done', said: '' })
    await field.inDatabase('shop', 'a', 1, async (session) => {
      await session.query('SET synchronous_commit = on')
      await session.query(`INSERT INTO item SELECT g, 'n1' FROM generate_series(1, 500) g`)
    })
    freeze('db-shop-a')
    const plan = (await field.plan(shop)) as Plan
    expect(plan.notes.join('\n')).toMatch(/the machine of n1-a does not answer: it is ended/)
    const order = plan.remodels.map(({ id }) => id)
    expect(order[0]).toBe('fail-over node/n1')
    expect(await field.carryOut(plan)).toMatchObject({ state: 'done', said: '' })
    await field.inDatabase('shop', 'b', 2, async (session) => {
      expect(await session.value('SELECT pg_is_in_recovery()')).toBe(false)
      expect(await session.value('SELECT count(*)::int FROM item')).toBe(500)
    })
    expect(await field.sql('shop', 'a', 1, 'SELECT pg_is_in_recovery()')).toBe(true)
  })

  test('with a replica is ended and made anew', async () => {
    const shop = field.document('D04-frozen-primary/1-shop.yml')
    freeze('db-shop-a')
    expect(await field.deploy(shop)).toMatchObject({ state: 'done', said: '' })
    expect(await field.sql('shop', 'a', 1, 'SELECT pg_is_in_recovery()')).toBe(true)
  })
})
