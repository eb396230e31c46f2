import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { uploadRelease } from '../../cli/upload.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { smallRelease } from '../support/small.ts'

let stack: TestStack

beforeAll(async () => {
  stack = await startServices({ planner: 1 })
})
afterAll(() => stack.stop())

test('a release that stands is sent again as far as its bytes are gone, and no further', async () => {
  const client = stack.client()
  const first = await uploadRelease(smallRelease, client)
  expect((await uploadRelease(smallRelease, client)).sent).toBe(0)
  const { digest } = first.release.packages[0]!
  await rm(join(stack.home, 'blobs', 'sha256', digest.slice(7, 9), digest.slice(9)))
  const again = await uploadRelease(smallRelease, client)
  expect(again).toMatchObject({ sent: 1, release: first.release })
  expect(await client.hasBlob(digest)).toBe(true)
})
