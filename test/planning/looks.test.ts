import { afterAll, beforeAll, expect, test } from 'vitest'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { openTown, type Town } from '../reservation/town.ts'
import { person } from '../support/actors.ts'
import { released } from '../support/plans.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let town: Town
/** Plans of it are parked as soon as they only wait. */
let ledger: Ledger
const settings = () => ({ url: server.url, prefix: 'looks' })

beforeAll(async () => {
  server = await startRedis(['--appendfsync', 'no'])
  town = await openTown(settings())
  ledger = new Ledger(town.redis, settings(), { parkAfterMs: 0 })
})

afterAll(async () => {
  town.close()
  await server.stop()
})

/** Begins what is released of a plan, and ends it with the same wait each time. */
async function waitAgain(deployment: string, plan: string): Promise<void> {
  const ready = await released(ledger, deployment, plan)
  const wanted = ready.map(({ remodel, release }) => ({ plan, remodel, job: `${remodel} #${release}` }))
  const claims = (await ledger.claim(deployment, 'w', wanted)).flatMap((one) =>
    one.status === 'claimed' ? [one.claim] : [],
  )
  expect(claims.length).toBeGreaterThan(0)
  const wait = { outcome: 'wait', message: 'the copy to be there', afterMs: 0 } as const
  await ledger.complete(
    deployment,
    claims.map(({ fence, remodel }) => ({ plan, remodel: remodel.id, fence, ...wait })),
  )
}

test('an apply that waits for no lock waits for the look of a parked plan, and is carried out after it', async () => {
  const apply = (plan: string) => town.planning.apply(plan, { by: person('anna'), message: '', waitSeconds: 0 })
  const first = await town.planning.plan(town.order('web'))
  await apply(first.id)
  await waitAgain('web', first.id)
  expect(await ledger.planRecord('web', first.id)).toMatchObject({ state: 'parked' })
  const second = await town.planning.plan(town.order('web', { instances: 2 }))
  await expect.poll(() => ledger.resume('web', first.id), { timeout: 20_000 }).toBe('running')

  const applied = apply(second.id)
  const ended = applied.then(
    () => 'applied',
    (error) => error.message,
  )
  // It stands in line now, or was refused.
  await Promise.race([ended, expect.poll(() => town.redis.zcard('looks:{web}:line'), { timeout: 20_000 }).toBe(1)])
  expect(await ledger.lock('web')).toMatchObject({ plan: first.id })
  await waitAgain('web', first.id)
  expect(await ended).toBe('applied')
  expect(await ledger.lock('web')).toMatchObject({ plan: second.id })
})
