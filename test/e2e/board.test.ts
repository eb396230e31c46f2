import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { enqueueDeploy } from '../../shared/api/enqueue.ts'
import { jobId } from '../../shared/queue/payloads.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { connectRedis, redisSettings } from '../../shared/runtime/redis.ts'
import { OwnRelease } from '../support/packaging.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

/**
 * What Bull Board shows is what the ledger says, after deploys that go well, that fail, and whose workers are killed.
 */

let stack: TestStack
let client: Client
let release: OwnRelease
let redis: Redis
let queues: Queues
const broken = 'echo it is broken here; exit 1\n'

beforeAll(async () => {
  stack = await startServices({ planner: 1, compiler: 1, assembler: 2 })
  client = stack.client()
  await uploadSmall(client)
  release = await OwnRelease.copy()
  const settings = redisSettings({ REDIS_URL: stack.redis.url })
  redis = connectRedis(settings, 'service')
  queues = new Queues(redis, settings)
})

afterAll(async () => {
  await queues.close()
  redis.disconnect()
  await stack.stop()
  await release.remove()
})

const board = async (path: string) => {
  const token = process.env.REMODEL_TOKEN ?? readFileSync(join(stack.home, 'token'), 'utf8').trim()
  const { url } = client.address
  const response = await fetch(`${url}/board${path}`, { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, text: await response.text() }
}

async function jobs(queue: 'assemble' | 'compile', state: 'completed' | 'failed', plan: string): Promise<Job[]> {
  return (await queues.get(queue).getJobs(state)).filter(({ data }) => data.plan === plan)
}

/**
 * For every remodel of a plan that a queue carried: what the ledger says of it, and under which states its jobs stand.
 */
async function differences(plan: string): Promise<string[]> {
  const view = await client.planView(plan)
  const found: string[] = []
  for (const queue of ['assemble', 'compile'] as const) {
    const [completed, failed] = [await jobs(queue, 'completed', plan), await jobs(queue, 'failed', plan)]
    for (const { id, state } of view.remodels) {
      const remodel = view.plan.remodels.find((one) => one.id === id)!
      if (remodel.queue !== queue || (state !== 'done' && state !== 'failed')) continue
      const key = Object(remodel.input).key
      const isOf = ({ data }: Job) => data.remodel === id || (data.remodel === undefined && data.key === key)
      const [good, bad] = [completed.filter(isOf), failed.filter(isOf)]
      if (state === 'done' && good.length === 0) found.push(`${id} is done, and not completed on the board`)
      if (state === 'failed' && bad.length === 0) found.push(`${id} failed, and not on the board`)
      if (state === 'failed' && good.length > 0) found.push(`${id} failed, and is completed on the board`)
      const { message = '' } = view.status.errors.find((one) => one.remodel === id) ?? {}
      if (state === 'failed' && !bad.some(({ failedReason }) => failedReason.includes(message.split(' (attempt')[0]!)))
        found.push(`${id} failed with ${message}, and the board says ${bad.map((job) => job.failedReason)}`)
    }
  }
  return found
}

/** A job ends a moment after its report. */
const agrees = (plan: string) => expect.poll(() => differences(plan), { timeout: 20_000 }).toEqual([])

describe('the board', () => {
  test('shows what went well under completed, each remodel by its deployment and its name', async () => {
    const { plan, ended } = await deploySmall(client, { name: 'well', net: 61, instances: 3, front: true })
    expect(ended).toBe('done')
    await agrees(plan.id)
    const names = [...(await jobs('assemble', 'completed', plan.id)), ...(await jobs('compile', 'completed', plan.id))]
    expect(names.length).toBeGreaterThan(10)
    for (const { name, progress } of names) expect([name.startsWith('well: '), progress]).toEqual([true, 100])
    expect(await removeSmall(client, 'well')).toBe('done')
  })

  test('shows a failed start under failed, with its reason, the end of its log and a link to its plan', async () => {
    const { plan, ended } = await deploySmall(client, { name: 'ill', net: 62, instances: 1, fail: true })
    expect(ended).toBe('failed')
    await agrees(plan.id)
    const job = (await jobs('assemble', 'failed', plan.id)).find(({ name }) => name === 'ill: start-instance app/0')!
    const { logs } = await queues.get('assemble').getJobLogs(job.id!)
    expect(logs.join('\n')).toContain('app cannot start: its properties ask it to fail')
    const shown = await board(`/api/queues/assemble/${encodeURIComponent(job.id!)}`)
    expect(JSON.parse(shown.text).job.externalUrl.href).toBe(`/board/plans/${plan.id}`)
    const page = await board(`/plans/${plan.id}`)
    expect(page.status).toBe(200)
    expect(page.text).toContain('app cannot start: its properties ask it to fail')
    expect(page.text).toContain(`/board/queue/assemble/${encodeURIComponent(job.id!)}`)
    expect((await board('/plans')).text).toContain(`/board/plans/${plan.id}`)
    expect(await removeSmall(client, 'ill')).toBe('done')
  })

  test('agrees with the ledger after a worker was killed in the middle', async () => {
    const { plan } = await planSmall(client, { name: 'killed', net: 64, instances: 3, front: true })
    await client.apply(plan.id, {})
    const begins = async () =>
      (await client.events('killed', { plan: plan.id })).filter(({ type }) => type === 'remodel.started')
    await expect
      .poll(async () => (await begins()).some(({ remodel }) => remodel?.startsWith('create-vm')), { timeout: 60_000 })
      .toBe(true)
    await stack.services.find(({ name }) => name === 'assembler')!.kill('SIGKILL')
    expect(await settled(client, plan.id)).toBe('done')
    // What was reported a moment before its worker was killed is known to the ledger alone.
    await expect
      .poll(async () => (await differences(plan.id)).filter((one) => !one.includes('is done, and not')), {
        timeout: 20_000,
      })
      .toEqual([])
    expect(await removeSmall(client, 'killed')).toBe('done')
  })

  test('shows a failed package under failed with the last lines of its script, and it may be compiled again', async () => {
    const version = await release.with(client, { tool: broken })
    const options = { name: 'pack', net: 63, instances: 1, release: version }
    for (const _ of ['first', 'again']) {
      const { plan, ended } = await deploySmall(client, options)
      expect(ended).toBe('failed')
      await agrees(plan.id)
      const failed = await jobs('compile', 'failed', plan.id)
      expect(failed.map(({ name }) => name.split(' ').slice(0, 2))).toEqual([['pack:', 'tool']])
      const { logs } = await queues.get('compile').getJobLogs(failed[0]!.id!)
      expect(logs.join('\n')).toContain('it is broken here')
    }
  })

  test('shows a package that two deployments wait for under the name of each', async () => {
    const version = await release.with(client, { tool: `sleep 2\n${broken}` })
    const plans = await Promise.all(
      ['left', 'right'].map((name, n) => planSmall(client, { name, net: 70 + n, instances: 1, release: version })),
    )
    for (const { plan } of plans) await client.apply(plan.id, {})
    for (const { plan } of plans) expect(await settled(client, plan.id)).toBe('failed')
    for (const { plan } of plans) {
      await agrees(plan.id)
      const failed = await jobs('compile', 'failed', plan.id)
      expect(failed.map(({ name }) => name.split(' ').slice(0, 2))).toEqual([[`${plan.deployment}:`, 'tool']])
    }
  })

  test('shows a refused order without a stack of its own sources, and a taken one with its plan', async () => {
    const refused = await enqueueDeploy({
      ...{ redisUrl: stack.redis.url, id: 'refused' },
      manifest: { name: 'web.yml', content: 'name: web\nnothing: here\n' },
    })
    await expect(refused.result()).rejects.toMatchObject({ code: 'job-failed' })
    const job = (await queues.get('deploys').getJob(jobId('deploy', 'refused')))!
    expect([job.name, job.stacktrace]).toEqual(['web: deploy web.yml', []])
    expect(job.failedReason).toContain('web.yml:')
  })

  test('has the queue of a site', async () => {
    await stack.start('assembler', { REMODEL_SITE: 'lon' })
    await expect.poll(async () => (await board('/api/queues')).text, { timeout: 20_000 }).toContain('"assemble-lon"')
    expect((await board('/queue/assemble-lon')).status).toBe(200)
  })
})
