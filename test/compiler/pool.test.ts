import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prewarm } from '../../services/compiler/prewarm.ts'
import { readEffects } from '../../shared/provider/local/effects.ts'
import { inject } from '../../shared/provider/local/inject.ts'
import { until } from '../provider/place.ts'
import { type Bench, Benches, wish } from './bench.ts'

let benches: Benches
const never = new AbortController().signal
const fine = { ok: true, reuse: true }

beforeAll(async () => {
  benches = await Benches.open()
})
afterAll(() => benches.close())

/** How many of its VMs ever stood at the same time, by the provider's own log. */
async function mostAtOnce({ worker }: Bench): Promise<number> {
  let [now, most] = [0, 0]
  for (const { effect, id } of await readEffects(benches.place.directory)) {
    if (!id.startsWith(`vm-${worker}-`)) continue
    now += effect === 'create_vm' ? 1 : -1
    most = Math.max(most, now)
  }
  return most
}

describe('a compile VM', () => {
  test('is taken again for the same stemcell, resources and network, and for nothing else', async () => {
    const bench = benches.pool({ capacity: 5 })
    const { pool } = bench
    const first = await pool.take(wish('1'), never)
    pool.give(first, fine)
    const others = [
      wish('2'),
      wish('1', { resources: { memoryMiB: 512 } }),
      wish('1', { resources: { cpus: 1 } }),
      wish('1', { network: 'host' }),
    ]
    const made = await Promise.all(others.map((one) => pool.take(one, never)))
    expect(new Set([first, ...made].map(({ id }) => id)).size).toBe(5)
    expect((await pool.take(wish('1'), never)).id).toBe(first.id)
    for (const vm of [first, ...made]) pool.give(vm, { ok: false, reuse: true })
    await pool.close()
  })

  test('is never handed on where packages want fresh ones, but one that was made ahead is fresh', async () => {
    const bench = benches.pool()
    const { pool } = bench
    const fresh = { ...wish('1'), reuse: false }
    await pool.warm(wish('1'))
    const [ahead] = await benches.actual(bench)
    const first = await pool.take(fresh, never)
    expect(first.id).toBe(ahead)
    pool.give(first, fine)
    const second = await pool.take(fresh, never)
    expect(second.id).not.toBe(first.id)
    pool.give(second, { ok: true, reuse: false })
    await pool.close()
  })

  test('K3: whose package failed is destroyed, and the next package gets another one', async () => {
    const bench = benches.pool()
    const { pool } = bench
    const first = await pool.take(wish('1'), never)
    pool.give(first, { ok: false, reuse: true })
    expect(pool.knows(first.id)).toBe(false)
    const second = await pool.take(wish('1'), never)
    expect(second.id).not.toBe(first.id)
    await until(async () => !(await benches.actual(bench)).includes(first.id))
    pool.give(second, fine)
    await pool.close()
  })

  test('K4: at capacity an idle one of another stemcell is recycled, a busy one never', async () => {
    const bench = benches.pool({ capacity: 3 })
    const { pool } = bench
    const [busy, older, newer] = await Promise.all(['1', '1', '1'].map((version) => pool.take(wish(version), never)))
    pool.give(older!, fine)
    await sleep(5)
    pool.give(newer!, fine)
    const other = await pool.take(wish('2'), never)
    // The longest idle one went; there was no moment at which four stood.
    expect(await benches.actual(bench)).toEqual([busy!.id, newer!.id, other.id].sort())
    expect(await mostAtOnce(bench)).toBe(3)
    const third = await pool.take(wish('2'), never)
    // Now nothing is idle: the lane beyond capacity (a rebuild) gets a machine, and no package loses one.
    const beyond = await pool.take(wish('3'), never)
    expect(await benches.actual(bench)).toEqual([busy!.id, other.id, third.id, beyond.id].sort())
    for (const vm of [busy!, other, third, beyond]) pool.give(vm, fine)
    // Back within capacity as soon as one is idle.
    await until(async () => (await benches.actual(bench)).length === 3)
    await pool.close()
  })

  test('K4: more than the capacity never stand, however packages of all kinds come and go', async () => {
    const bench = benches.pool({ capacity: 2 })
    const { pool } = bench
    const lane = async (first: number) => {
      for (let n = first; n < first + 10; n++) {
        const one = { ...wish(String(n % 3)), reuse: n % 4 !== 0 }
        pool.give(await pool.take(one, never), { ok: n % 5 !== 0, reuse: one.reuse })
      }
    }
    await Promise.all([lane(0), lane(7), pool.warm(wish('9'))])
    expect(await mostAtOnce(bench)).toBe(2)
    await pool.close()
  })

  test('that died since the last look is not handed on', async () => {
    const bench = benches.pool()
    const { pool } = bench
    const first = await pool.take(wish('1'), never)
    pool.give(first, fine)
    await benches.place.provider.deleteVm(first.id, null)
    const second = await pool.take(wish('1'), never)
    expect(second.id).not.toBe(first.id)
    pool.give(second, fine)
    await pool.close()
  })

  test('is kept for a while and no longer', async () => {
    const bench = benches.pool({ keep: { ms: 300, count: 2, tailMs: 60_000 } })
    const { pool } = bench
    pool.give(await pool.take(wish('1'), never), fine)
    expect(await benches.actual(bench)).toHaveLength(1)
    await until(async () => (await benches.actual(bench)).length === 0, 20_000)
    await pool.close()
  })

  test('is shed in the long tail beyond what is kept, but not while packages wait', async () => {
    let waiting = 1
    const keep = { ms: 60_000, count: 1, tailMs: 200 }
    const bench = benches.pool({ capacity: 3, keep, waiting: async () => waiting })
    const { pool } = bench
    const vms = await Promise.all([1, 2, 3].map(() => pool.take(wish('1'), never)))
    for (const vm of vms) pool.give(vm, fine)
    await sleep(2500)
    expect(await benches.actual(bench)).toHaveLength(3)
    waiting = 0
    await until(async () => (await benches.actual(bench)).length === 1, 20_000)
    await pool.close()
  })

  test('is made ahead up to what is asked for and what there is room for, counting those that are idle', async () => {
    const bench = benches.pool({ capacity: 3 })
    const { pool } = bench
    const tokens = (count: number) => async () => count-- > 0
    const parts = { pool, log: benches.log }
    pool.give(await pool.take(wish('1'), never), fine)
    await prewarm(wish('1'), tokens(2), parts)
    expect(await benches.actual(bench)).toHaveLength(2)
    await prewarm(wish('2'), tokens(5), parts)
    expect(await benches.actual(bench)).toHaveLength(3)
    await pool.close()
  })

  test('that is being made ahead is taken over by the package that comes meanwhile', async () => {
    const bench = benches.pool()
    const { pool } = bench
    const warming = pool.warm(wish('1'))
    const vm = await pool.take(wish('1'), never)
    await warming
    expect(await benches.actual(bench)).toEqual([vm.id])
    pool.give(vm, fine)
    await pool.close()
  })

  test('that is on its way out takes a seat, unless workers are orphaned', async () => {
    const { directory } = benches.place
    await inject(directory, 'delete_vm', { delayMs: 3000 })
    try {
      const bench = benches.pool({ capacity: 1 })
      const { pool } = bench
      const standsWith = async (orphan: boolean) => {
        const vm = await pool.take({ ...wish('1', orphan ? { orphan } : {}), reuse: false }, never)
        const actual = await benches.actual(bench)
        pool.give(vm, { ok: true, reuse: false })
        return actual.length
      }
      expect(await standsWith(false)).toBe(1)
      expect(await standsWith(true)).toBe(2)
      expect(await standsWith(false)).toBe(1)
      await pool.close()
    } finally {
      await inject(directory, 'delete_vm', { delayMs: 0 })
    }
  })
})
