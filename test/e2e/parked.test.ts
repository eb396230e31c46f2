import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { layout } from '../../shared/provider/layout.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, type SmallOptions, uploadSmall } from '../support/small.ts'

/**
 * Instances that are healthy once a file is there, so that a plan waits for as long as the test wants; an
 * assembler with one place.
 */

let stack: TestStack
let client: Client
const ready = `${layout.data}/ready`
const untilReady = { watch: '50-36000000', checks: [{ type: 'command', command: `test -e ${ready}` }] }
const waitsFor = 'app/0 being healthy for 1 s'
const names = ['goes-on', 'is-passed', 'another'] as const
const of = (name: (typeof names)[number]) => ({ name, net: 71 + names.indexOf(name), instances: 1, disk: 0 })

const assembler = () => stack.start('assembler', { REMODEL_CONCURRENCY: '1' })

beforeAll(async () => {
  stack = await startServices({ planner: 1, compiler: 1 })
  await assembler()
  client = stack.client()
  await uploadSmall(client)
})

afterAll(() => stack?.stop())

async function begin(options: SmallOptions): Promise<string> {
  const { plan } = await planSmall(client, options)
  await client.apply(plan.id, {})
  return plan.id
}

/** Until it waits without the lock. It has the lock for moments, in which it looks whether it still waits. */
async function parked(deployment: string, plan: string): Promise<void> {
  const how = async () => {
    const [{ status }, locks] = [await client.planView(plan), await client.locks(deployment)]
    return { state: status.state, on: status.parked?.on, locks }
  }
  await expect.poll(how, { timeout: 400_000, interval: 100 }).toEqual({ state: 'parked', on: waitsFor, locks: [] })
}

async function onMachine<T>(
  deployment: string,
  work: (machine: Awaited<ReturnType<TestStack['provider']['connect']>>) => Promise<T>,
): Promise<T> {
  const [vm] = await stack.provider.listVms({ owner: `deployment/${deployment}` })
  const machine = await stack.provider.connect(vm!.id, null)
  try {
    return await work(machine)
  } finally {
    machine.close()
  }
}

/** What is made anew whenever an instance is started. */
const traces = (deployment: string) =>
  onMachine(deployment, async (machine) => {
    const log = `${layout.log}/app/pre-start.stdout.log`
    return (await machine.exec(['/bin/sh', '-euc', `stat -c '%i %y' ${log}; cat ${layout.instance}/started`])).stdout
  })

describe('plans that only wait', () => {
  test('hold no lock and no worker, outlive planner and assembler, and go on where nothing came in between', {
    timeout: 900_000,
  }, async () => {
    const plans = {
      'goes-on': await begin({ ...of('goes-on'), ...untilReady }),
      'is-passed': await begin({ ...of('is-passed'), ...untilReady }),
    }
    for (const [name, plan] of Object.entries(plans)) await parked(name, plan)
    const started = await traces('goes-on')

    // The only place of the only assembler is free.
    expect((await deploySmall(client, of('another'))).ended).toBe('done')
    for (const [name, plan] of Object.entries(plans)) {
      await parked(name, plan)
      expect((await client.planView(plan)).status.errors).toEqual([])
    }

    // The deployment is free: what comes in between and begins nothing changes nothing.
    const { plan: drawn } = await planSmall(client, { ...of('goes-on'), ...untilReady, greeting: 'another' })
    expect(drawn.remodels.map(({ step }) => step)).toContain('start-instance')

    for (const name of ['planner', 'assembler']) {
      for (const service of stack.services.filter((one) => one.name === name)) await service.kill('SIGKILL')
    }
    await stack.start('planner')
    await assembler()
    client = stack.client()
    for (const [name, plan] of Object.entries(plans)) await parked(name, plan)

    // One that begins something ends the parked one, which says by whom it was passed.
    const passing = await deploySmall(client, { ...of('is-passed'), greeting: 'another' })
    expect(passing.ended).toBe('done')
    expect(await settled(client, plans['is-passed'], 240_000)).toBe('cancelled')
    const { errors } = (await client.planView(plans['is-passed'])).status
    expect(errors).toMatchObject([{ code: 'superseded', message: expect.stringContaining(`plan ${passing.plan.id}`) }])

    await onMachine('goes-on', (machine) => machine.write(ready, ''))
    expect(await settled(client, plans['goes-on'], 240_000)).toBe('done')
    expect(await traces('goes-on')).toBe(started)
    await expect(client.apply(drawn.id, {})).rejects.toMatchObject({ code: 'floorplan-moved' })
    for (const name of names) expect(await removeSmall(client, name)).toBe('done')
  })
})

describe('a plan that is to begin at a moment', () => {
  test('compiles, waits for it without the lock, and changes nothing before', { timeout: 300_000 }, async () => {
    const tonight = { name: 'tonight', net: 75, instances: 1, disk: 0, greeting: 'tonight' }
    const plan = await begin({ ...tonight, notBefore: Date.now() + 3600_000 })
    const state = async () => (await client.planView(plan)).status.state
    await expect.poll(state, { timeout: 240_000 }).toBe('parked')
    const { remodels, status } = await client.planView(plan)
    expect(status.parked?.on).toMatch(/^the moment to begin, not before /)
    const compiled = remodels.filter(({ id }) => id.startsWith('compile-package'))
    expect(compiled.filter((remodel) => remodel.state !== 'done')).toEqual([])
    expect(await client.locks('tonight')).toEqual([])
    expect(await stack.provider.listVms({ owner: 'deployment/tonight' })).toEqual([])

    const soon = await begin({ ...tonight, notBefore: Date.now() + 2000 })
    expect(await settled(client, soon, 240_000)).toBe('done')
    expect(await settled(client, plan, 240_000)).toBe('cancelled')
    expect(await removeSmall(client, 'tonight')).toBe('done')
  })
})
