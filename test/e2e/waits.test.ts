import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import { layout } from '../../shared/provider/layout.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, type SmallOptions, uploadSmall } from '../support/small.ts'

/** Instances that are to stay up for an hour before they count as healthy, on an assembler with one place. */

let stack: TestStack
let client: Client

beforeEach(async () => {
  stack = await startServices({ planner: 1, compiler: 1 })
  client = stack.client()
  await uploadSmall(client)
})

afterEach(() => stack.stop())

const assembler = (failpoints = '') =>
  stack.start('assembler', { REMODEL_CONCURRENCY: '1', ...(failpoints ? { REMODEL_FAILPOINTS: failpoints } : {}) })

async function begin(options: SmallOptions): Promise<string> {
  const { plan } = await planSmall(client, { instances: 1, disk: 0, ...options })
  await client.apply(plan.id, {})
  return plan.id
}

/** Until the first instance of a plan is watched, in no worker's hands. */
async function waiting(deployment: string, plan: string): Promise<void> {
  const watched = async () =>
    (await client.events(deployment, { plan })).some(
      ({ type, remodel }) => type === 'remodel.waiting' && remodel === 'start-instance app/0',
    )
  await expect.poll(watched, { timeout: 240_000, interval: 50 }).toBe(true)
}

/** What is made anew whenever an instance is started. */
async function traces(deployment: string): Promise<string> {
  const [vm] = await stack.provider.listVms({ owner: `deployment/${deployment}` })
  const connection = await stack.provider.connect(vm!.id, null)
  try {
    const log = `${layout.log}/app/pre-start.stdout.log`
    const { stdout } = await connection.exec([
      '/bin/sh',
      '-euc',
      `stat -c '%i %y' ${log}; cat ${layout.instance}/started`,
    ])
    return stdout
  } finally {
    connection.close()
  }
}

describe('a worker whose only place was taken by instances that are watched for an hour', () => {
  test('carries out what another deployment needs', { timeout: 300_000 }, async () => {
    await assembler()
    const hour = { watch: '3600000-7200000' }
    const long = {
      first: await begin({ name: 'first', net: 65, ...hour }),
      second: await begin({ name: 'second', net: 66, ...hour }),
    }
    for (const [name, plan] of Object.entries(long)) await waiting(name, plan)
    expect((await deploySmall(client, { name: 'third', net: 67, instances: 2 })).ended).toBe('done')
    for (const plan of Object.values(long)) {
      expect((await client.planView(plan)).status.state).toBe('running')
      await client.cancel(plan)
      expect(await settled(client, plan)).toBe('cancelled')
    }
    for (const name of ['first', 'second', 'third']) expect(await removeSmall(client, name)).toBe('done')
  })
})

describe('workers that are killed while an instance is watched', () => {
  test('cost no second start: the watch goes on where it was', { timeout: 300_000 }, async () => {
    const first = await assembler('assembler.waits=kill')
    const plan = await begin({ name: 'watched', net: 68, watch: '15000-60000' })
    await expect.poll(() => first.process.signalCode, { timeout: 240_000 }).toBe('SIGKILL')
    const before = await traces('watched')
    const second = await assembler('assembler.claimed=kill')
    await expect.poll(() => second.process.signalCode, { timeout: 240_000 }).toBe('SIGKILL')
    await assembler()
    expect(await settled(client, plan)).toBe('done')
    expect(await traces('watched')).toBe(before)
    expect(await removeSmall(client, 'watched')).toBe('done')
  })
})
