import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { forgetOld } from '../../services/planner/housekeeping/retention.ts'
import { openTown, type Town } from '../reservation/town.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let town: Town
const log = pino({ level: 'silent' })
const dayMs = 24 * 3600 * 1000
let counter = 0

beforeAll(async () => {
  server = await startRedis()
  town = await openTown({ url: server.url, prefix: 'r' })
})

afterEach(() => vi.restoreAllMocks())

afterAll(async () => {
  town.close()
  await server.stop()
})

/** The clock of this planner, which is `ms` away from that of the others and of Redis. */
async function off<Result>(ms: number, work: () => Promise<Result>): Promise<Result> {
  const real = Date.now.bind(Date)
  vi.spyOn(Date, 'now').mockImplementation(() => real() + ms)
  try {
    return await work()
  } finally {
    vi.restoreAllMocks()
  }
}

const drawn = () => town.planning.plan(town.order(`r${++counter}`))
const look = () => forgetOld(town.ledger, () => true, 50, log)

describe('a plan that waits to be applied', () => {
  test('is not forgotten by a planner whose clock is two days ahead', async () => {
    const { id, deployment } = await drawn()
    await off(2 * dayMs, look)
    expect(await town.ledger.planIds(deployment, 10)).toEqual([id])
  })

  test('is not forgotten where the clock of the planner that drew it was two days behind, nor when it is drawn again', async () => {
    const { id, deployment } = await off(-2 * dayMs, drawn)
    await look()
    expect(await town.ledger.planIds(deployment, 10)).toEqual([id])
    expect(await off(-2 * dayMs, () => town.planning.plan(town.order(deployment)))).toMatchObject({ id })
    await town.ledger.retention.putOffRetention(deployment, 0)
    await look()
    expect(await town.ledger.planIds(deployment, 10)).toEqual([id])
  })

  test('is forgotten when it is a day old', async () => {
    const { id, deployment } = await drawn()
    const plan = await town.ledger.plan(deployment, id)
    await town.ledger.store(plan, (await town.ledger.time()) - dayMs - 1)
    await look()
    expect(await town.ledger.planIds(deployment, 10)).toEqual([])
  })
})
