import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sweepOnce } from '../../services/compiler/sweep.ts'
import { inject } from '../../shared/provider/local/inject.ts'
import { until } from '../provider/place.ts'
import { type Bench, Benches, wish } from './bench.ts'
import { cheapCloud } from './cloud.ts'

let benches: Benches
const never = new AbortController().signal

beforeAll(async () => {
  benches = await Benches.open()
})
afterAll(() => benches.close())

const sweep = (by: Bench) => sweepOnce({ ...by, provider: benches.place.provider, log: benches.log })

describe('the sweep of compile VMs', () => {
  test('takes away what a compiler that is gone has left, and what could not be deleted; nothing else', async () => {
    const [one, gone] = [benches.pool(), benches.pool({ lifeMs: 200, beatMs: 60_000 })]
    const [mine, other] = await Promise.all([one.pool.take(wish('1'), never), gone.pool.take(wish('1'), never)])
    await until(() => gone.lease.over(other.lease))
    await inject(benches.place.directory, 'delete_vm', { fail: 1 })
    const stuck = await one.pool.take(wish('1'), never)
    one.pool.give(stuck, { ok: false, reuse: true })
    await sleep(50)
    expect(await benches.actual(one)).toEqual([mine.id, stuck.id].sort())
    expect(await benches.actual(gone)).toEqual([other.id])
    await sweep(one)
    expect(await benches.actual(one)).toEqual([mine.id])
    expect(await benches.actual(gone)).toEqual([])
    one.pool.give(mine, { ok: false, reuse: true })
    gone.pool.give(other, { ok: true, reuse: true })
    await until(async () => (await benches.actual(one)).length === 0)
  })

  test('takes away what a compiler has left that was gone when the clock of Redis was set back', async () => {
    const [one, gone] = [benches.pool(), benches.pool({ beatMs: 3_600_000 })]
    const left = await gone.pool.take(wish('1'), never)
    // What a step of the clock by an hour leaves.
    await benches.redis.pexpire(`test:compile-vms:${left.lease}`, 3_600_000)
    await until(async () => {
      await sweep(one)
      return (await benches.actual(gone)).length === 0
    }, 30_000)
    gone.pool.give(left, { ok: false, reuse: true })
  }, 40_000)

  test('goes on where one VM cannot be deleted: the others go, that one with the next sweep', async () => {
    const [one, gone] = [benches.pool(), benches.pool({ lifeMs: 200, beatMs: 60_000 })]
    const left = await Promise.all(['1', '1', '1'].map((version) => gone.pool.take(wish(version), never)))
    await until(() => gone.lease.over(left[0]!.lease))
    await inject(benches.place.directory, 'delete_vm', { fail: 1 })
    await sweep(one)
    expect(await benches.actual(gone)).toHaveLength(1)
    await sweep(one)
    expect(await benches.actual(gone)).toEqual([])
    for (const vm of left) gone.pool.give(vm, { ok: false, reuse: true })
  })

  test('finds that a compiler which was frozen has let go of its VMs: it makes new ones when it wakes', async () => {
    const [frozen, other] = [benches.pool({ lifeMs: 200, beatMs: 60_000 }), benches.pool()]
    const first = await frozen.pool.take(wish('1'), never)
    frozen.pool.give(first, { ok: true, reuse: true })
    await until(() => frozen.lease.over(first.lease))
    await sweep(other)
    const second = await frozen.pool.take(wish('1'), never)
    expect(second.id).not.toBe(first.id)
    expect(second.lease).not.toBe(first.lease)
    expect(frozen.pool.knows(first.id)).toBe(false)
    frozen.pool.give(second, { ok: false, reuse: true })
  })

  /**
   * Each claim comes about when its lease ends: the wait before it follows that edge, shorter after a lease that was
   * lost, longer after one that was held. Leases, pools and sweep are the real ones, and so is Redis.
   */
  test('K5: races with a claim 10,000 times and never deletes a VM that is held', {
    timeout: 180_000,
  }, async () => {
    const [lifeMs, claims] = [100, 100]
    const provider = cheapCloud()
    const lanes = Array.from({ length: 100 }, () => benches.pool({ provider, capacity: 1, lifeMs, beatMs: 60_000 }))
    const seen = { held: 0, swept: 0, sweeps: 0, underfoot: [] as string[] }
    // Both ways must have happened, often, for the races to mean anything: a slow machine takes longer for that.
    const enough = () => seen.swept > 100 && seen.held > 1000 && seen.sweeps > 100
    const claim = async ({ pool, lease }: Bench) => {
      let before = ''
      for (let n = 0, waitMs = lifeMs * 0.8; n < claims || !enough(); n++) {
        await sleep(waitMs)
        const vm = await pool.take(wish('1'), never)
        // It works for a while: a sweep that looked before the claim has done by then what it was about to do.
        await sleep(10)
        const stands = (await provider.findVm(vm.id))?.state === 'running'
        // Held now means held all along: the end of a lease is final.
        if (!(await lease.over(vm.lease))) {
          seen.held += 1
          if (!stands) seen.underfoot.push(vm.id)
        }
        const kept = vm.id === before || n === 0
        if (!kept) seen.swept += 1
        waitMs = kept ? waitMs + 0.3 : Math.max(lifeMs * 0.55, waitMs - 10)
        before = vm.id
        pool.give(vm, { ok: true, reuse: true })
      }
    }
    const racing = Promise.all(lanes.map(claim))
    let done = false
    const over = () => {
      done = true
    }
    racing.then(over, over)
    while (!done) await sweepOnce({ ...lanes[seen.sweeps++ % lanes.length]!, provider, log: benches.log })
    await racing
    expect(seen.underfoot).toEqual([])
  })
})
