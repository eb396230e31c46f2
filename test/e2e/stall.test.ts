import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settled, startServices, type TestStack } from '../support/services.ts'

/** A stall is not a crash: nothing that runs is killed, no attempt is used, nothing is blamed. */

const extension = new URL('../kinds/slow.ts', import.meta.url).pathname
let stack: TestStack
let name = 0

beforeAll(async () => {
  stack = await startServices({ planner: 2, assembler: 2 }, { REMODEL_EXTENSIONS: extension })
})
afterAll(() => stack.stop())

/** A deployment of four things that take `seconds` each, begun at once. */
async function begin(seconds: number) {
  const client = stack.client()
  const deployment = `slow${++name}`
  const content = JSON.stringify({ kind: 'slow', name: deployment, things: ['a', 'b', 'c', 'd'], seconds })
  const { plan } = await client.plan({ manifest: { name: 'slow.yml', content } })
  await client.apply(plan.id, {})
  const events = async () => client.events(deployment, { plan: plan.id })
  const started = async () => (await events()).filter(({ type }) => type === 'remodel.started')
  await expect.poll(async () => (await started()).length, { timeout: 10_000 }).toBe(4)
  return { plan: plan.id, started, events }
}

async function expectUntouched(run: Awaited<ReturnType<typeof begin>>) {
  expect(await settled(stack.client(), run.plan)).toBe('done')
  expect((await run.started()).map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1])
  expect((await run.events()).filter(({ type }) => type === 'remodel.retried')).toEqual([])
}

async function stall(pids: readonly number[], ms: number) {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  await new Promise((resolve) => setTimeout(resolve, ms))
  for (const pid of pids) process.kill(pid, 'SIGCONT')
}

describe('of five seconds', () => {
  test('of Redis, three times, ends no attempt', async () => {
    const run = await begin(20)
    for (let n = 0; n < 3; n++) {
      await stall([stack.redis.pid()], 5000)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    await expectUntouched(run)
  })

  test('of the workers ends no attempt', async () => {
    const run = await begin(9)
    await stall(
      stack.services.filter(({ name }) => name === 'assembler').map(({ process: { pid } }) => pid!),
      5000,
    )
    await expectUntouched(run)
  })

  test('of the planners ends no attempt', async () => {
    const run = await begin(9)
    await stall(
      stack.services.filter(({ name }) => name === 'planner').map(({ process: { pid } }) => pid!),
      5000,
    )
    await expectUntouched(run)
  })
})

test('a lock of a job that is deleted by hand ends no attempt', async () => {
  const run = await begin(8)
  const redis = new Redis(stack.redis.url)
  for (let n = 0; n < 12; n++) {
    const locks = await redis.keys('*:lock')
    const jobs = locks.filter((key) => key.includes(':assemble:'))
    if (jobs.length > 0) await redis.del(...jobs)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  redis.disconnect()
  await expectUntouched(run)
})
