import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, uploadSmall } from '../support/small.ts'

let stack: TestStack
let client: Client
beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})
afterAll(() => stack?.stop())

const causes = async (name: string, plan: string) =>
  (await client.events(name, { plan }))
    .filter(({ type }) => type === 'remodel.failed')
    .map((event) => JSON.stringify(event))

describe('post-deploy scripts', () => {
  const base = { name: 'after', net: 67, instances: 2 }
  const runs = async () => {
    const read = (instance: string) => client.exec('after', instance, { argv: ['cat', '/var/vcap/data/after/runs'] })
    const [first, second] = [await read('app/0'), await read('app/1')]
    return [first, second].map(({ stdout }) => stdout.split('\n').filter(Boolean).length)
  }

  test('run on every instance when all of the deployment stands, once for each change', async () => {
    const first = await deploySmall(client, { ...base, after: 'run' })
    expect(first.ended).toBe('done')
    const ends = first.plan.remodels.find(({ step }) => step === 'run-post-deploy')
    expect(ends?.needs.length).toBeGreaterThan(0)
    expect(await runs()).toEqual([1, 1])
    expect((await planSmall(client, { ...base, after: 'run' })).plan.remodels).toEqual([])
  }, 150_000)

  test('that fail make the deploy fail with each of them named, and are due until they have run', async () => {
    const failed = await deploySmall(client, { ...base, after: 'fail' })
    expect(failed.ended).toBe('failed')
    const [cause] = await causes('after', failed.plan.id)
    expect(cause).toContain('app/0: 1 of 1 post-deploy scripts failed: after; app/1: 1 of 1')
    expect(cause).toContain('the schema is not there')
    const again = await deploySmall(client, { ...base, after: 'fail' })
    expect([again.ended, again.plan.remodels.map(({ step }) => step)]).toEqual(['failed', ['run-post-deploy']])
    expect((await deploySmall(client, { ...base, after: 'run' })).ended).toBe('done')
    expect(await runs()).toEqual([4, 4])
  }, 150_000)

  test('are forgotten with the last job that has one', async () => {
    expect((await deploySmall(client, base)).ended).toBe('done')
    expect((await planSmall(client, base)).plan.remodels).toEqual([])
  }, 150_000)
})

describe('health checks', () => {
  const base = { name: 'checked', net: 68, instances: 1 }
  const ready = { type: 'command', command: 'test -e /var/vcap/data/ready || { echo not yet; false; }' }

  test('are waited for, and one that does not hold fails the deploy though all processes are up', async () => {
    const failed = await deploySmall(client, { ...base, checks: [ready] })
    expect(failed.ended).toBe('failed')
    expect(failed.plan.notes.join()).not.toContain('no health check')
    expect((await causes('checked', failed.plan.id))[0]).toContain(`not healthy after 5 s: app: test -e`)
    const [vm] = await stack.provider.listVms({ owner: 'deployment/checked' })
    const machine = await stack.provider.connect(vm!.id, null)
    await machine.write('/var/vcap/data/ready', '')
    machine.close()
    expect((await deploySmall(client, { ...base, checks: [ready] })).ended).toBe('done')
    expect((await planSmall(client, { ...base, checks: [ready] })).plan.remodels).toEqual([])
  }, 150_000)

  test('that change are a change; where there are none, the plan says what is known then', async () => {
    const { plan } = await planSmall(client, base)
    expect(plan.remodels.find(({ step }) => step === 'start-instance')?.reasons).toEqual([
      { code: 'health-checks-changed', job: 'app' },
    ])
    expect(plan.notes).toContain(
      'group app: no health check is written for app; that processes are up is all that is known of it',
    )
  })
})
