import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import type { Verdict } from '../../shared/model/verdict.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

let stack: TestStack
let client: Client

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
})

afterAll(() => stack.stop())

const generous = { timeout: 50_000, interval: 200 }

const machineOf = async (deployment: string, instance: string) =>
  (await client.instances(deployment)).find((one) => one.instance === instance)!.vm!

/** What the planner has recorded of a plan by itself. */
async function recorded(plan: string): Promise<Verdict> {
  const verdict = async () => (await client.planView(plan)).status.verdict
  await expect.poll(verdict, generous).not.toBeNull()
  return (await verdict())!
}

const named = ({ deviations }: Verdict) => deviations.map(({ material, what }) => `${material} ${what}`)

describe('after a plan the world is read again, and the verdict', () => {
  const base = { name: 'verdict', net: 64, disk: 0 }

  test('says nothing where everything is as it was recorded', async () => {
    const { plan, ended } = await deploySmall(client, base)
    expect(ended).toBe('done')
    expect(named(await recorded(plan.id))).toEqual([])
    expect(named(await client.verdict('verdict', 10))).toEqual([])
  })

  test('names what went away while the plan went on, though every step of it was done', async () => {
    const { plan } = await planSmall(client, { ...base, greeting: 'good day' })
    await client.apply(plan.id, {})
    const first = async () =>
      (await client.planView(plan.id)).remodels.find(({ id }) => id.startsWith('start-instance app/0'))?.state
    await expect.poll(first, generous).toBe('done')
    await stack.provider.deleteVm(await machineOf('verdict', 'app/0'), null)
    expect(await settled(client, plan.id)).toBe('done')
    expect(named(await recorded(plan.id))).toEqual(['instance/app/0 is gone'])
    expect(named(await client.verdict('verdict', 0))).toEqual(['instance/app/0 is gone'])
    expect((await deploySmall(client, { ...base, greeting: 'good day' })).ended).toBe('done')
    expect(named(await client.verdict('verdict', 10))).toEqual([])
  })

  test('names a process that does not run, and files of its job that are gone', async () => {
    const machine = await stack.provider.connect(await machineOf('verdict', 'app/1'), null)
    const [process] = await machine.status()
    await machine.exec(['/bin/sh', '-c', 'rm -f /var/vcap/jobs/app/bin/*; kill -9 "$0"', String(process!.pid)])
    machine.close()
    const missing = 'bin/ctl, bin/drain, bin/pre-start'
    await expect
      .poll(async () => named(await client.verdict('verdict', 0)).sort(), generous)
      .toEqual([
        `instance/app/1 does not have job app as it was deployed: ${missing}`,
        'instance/app/1 has a process that does not run',
      ])
  })

  test('names a machine that no deploy has recorded', async () => {
    const [vm] = await stack.provider.listVms({ owner: 'deployment/verdict' })
    const made = await stack.provider.createVm(
      {
        ...{ id: 'vm-stray', stemcell: vm!.stemcell, addresses: [], network: 'none' },
        resources: {},
        ownership: { owner: 'deployment/verdict', purpose: 'instance/app/7' },
      },
      { scope: 'vm/vm-stray', number: 1 },
    )
    expect(named(await client.verdict('verdict', 0))).toContain('vm/vm-stray is there, but no deploy has recorded it')
    await stack.provider.deleteVm(made.id, null)
  })

  test('of what was taken away says nothing', async () => {
    expect(await removeSmall(client, 'verdict')).toBe('done')
    expect(named(await client.verdict('verdict', 10))).toEqual([])
    await expect(client.verdict('never', 0)).rejects.toMatchObject({ code: 'not-found' })
  })
})
