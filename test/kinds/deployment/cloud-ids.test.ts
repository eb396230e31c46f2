import { expect, test } from 'vitest'
import { CloudIds } from '../../../kinds/deployment/plan/foreman/cloud-ids.ts'

test('cloud ids of the longest names have at most 63 characters, and no two of them are equal', () => {
  const cids = new CloudIds({ deployment: 'd'.repeat(63) }, 1)
  const all = ['a', 'b'].flatMap((last) =>
    Array.from({ length: 500 }, (_, i) => cids.vm(`${'g'.repeat(62)}${last}`, i)),
  )
  expect(new Set(all).size).toBe(1000)
  expect(all.filter((id) => id.length > 63)).toEqual([])
  expect(new CloudIds({ deployment: 'hello' }, 1).vm('web', 0)).toMatch(/^vm-hello-web-0-[0-9a-f]{8}$/)
})
