import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { enqueueDeploy } from '../../shared/api/enqueue.ts'
import { freePort } from '../support/redis.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'

const extension = new URL('../../examples/kinds/files.ts', import.meta.url).pathname
let stack: TestStack

beforeAll(async () => {
  stack = await startServices({ planner: 1, assembler: 1 }, { REMODEL_EXTENSIONS: extension })
})
afterAll(() => stack.stop())

const site = (text: string) => ({
  name: 'site.yml',
  content: JSON.stringify({ kind: 'files', name: 'site', directory: `${stack.home}/www`, files: { a: text } }),
})

describe('the client', () => {
  test('enqueues a deploy, tells its plan, and the plan is carried out', async () => {
    const job = await enqueueDeploy({ redisUrl: stack.redis.url, manifest: site('one'), attempts: 3 })
    const { plan, deployment, remodels } = await job.result()
    expect({ deployment, remodels }).toEqual({ deployment: 'site', remodels: 1 })
    expect(await settled(stack.client(), plan)).toBe('done')
    expect(await readFile(`${stack.home}/www/a`, 'utf8')).toBe('one')
  })

  test('refuses an order that does not fit before it is added', async () => {
    const order = { redisUrl: stack.redis.url, manifest: { name: 'x' }, retries: 1 }
    const error = await enqueueDeploy(order as never).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'invalid-input', faults: [{ path: 'manifest.content' }, { path: '' }] })
  })

  test('tells why a planner refused', async () => {
    const manifest = { name: 'bad.yml', content: 'kind: files\nname: site\ndirectory: www\nfiles: {}' }
    const job = await enqueueDeploy({ redisUrl: stack.redis.url, manifest })
    await expect(job.result()).rejects.toMatchObject({ code: 'job-failed', message: /bad.yml:3: directory/ })
  })

  test('adds an order of the same id once', async () => {
    const order = { redisUrl: stack.redis.url, manifest: site('two'), id: '42' }
    const [first, second] = [await enqueueDeploy(order), await enqueueDeploy(order)]
    expect(second.id).toBe(first.id)
    expect(await second.result()).toEqual(await first.result())
  })

  test('says that no planner answers, and that Redis is away', async () => {
    const job = await enqueueDeploy({ redisUrl: stack.redis.url, prefix: 'no-planner', manifest: site('x') })
    await expect(job.result(300)).rejects.toMatchObject({ code: 'deadline' })
    const redisUrl = `redis://127.0.0.1:${await freePort()}`
    await expect(enqueueDeploy({ redisUrl, manifest: site('x') })).rejects.toMatchObject({ code: 'unavailable' })
  })
})
