import { expect, test } from 'vitest'
import { Batches } from '../../shared/queue/batch.ts'

test('what comes in one turn for one name goes in one call, and no name is remembered behind it', async () => {
  const calls: [string, number[]][] = []
  const batches = new Batches<number, number>(async (name, items) => {
    calls.push([name, items])
    return items.map((item) => item * 2)
  })
  for (let round = 0; round < 100; round++) {
    const all = [1, 2, 3].map((item) => batches.add(`deployment-${round}`, item))
    expect(await Promise.all(all)).toEqual([2, 4, 6])
  }
  expect(calls).toHaveLength(100)
  expect(calls[0]).toEqual(['deployment-0', [1, 2, 3]])
  expect(batches.size).toBe(0)
})

test('a call that fails fails for all that waited in it, and the next one is another one', async () => {
  let fail = true
  const batches = new Batches<number, number>(async (_, items) => {
    if (fail) throw new Error('away')
    return items
  })
  const all = await Promise.allSettled([batches.add('a', 1), batches.add('a', 2)])
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  fail = false
  expect(await batches.add('a', 3)).toBe(3)
})
