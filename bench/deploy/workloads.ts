import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from '../../shared/api/client.ts'
import { startServices, type TestStack } from '../../test/support/services.ts'
import { removeSmall, type SmallOptions, uploadSmall } from '../../test/support/small.ts'
import { atMost, type Figure, median, runs } from '../figure.ts'
import { deployTimed } from './timed.ts'

/** Seconds that a real BOSH director took for the same shape on the same size of machine; the target is a fifth. */
const bosh = {
  'create-20': 31,
  'create-40-more': 60,
  'no-op-20': 2,
  'no-op-60': 4,
  'job-change-2': 8,
  'recreate-4-hotswap': 13,
  'recreate-4-delete-create': 15,
  'frozen-agent': 136,
}

export async function workloadFigures(bench: string): Promise<Figure[]> {
  const stack = await startServices()
  const client = stack.client()
  const figures: Figure[] = []
  const compare = (name: keyof typeof bosh, ms: number) => {
    const against = `BOSH ${bosh[name]} s`
    figures.push(atMost({ bench, case: name, value: ms / 1000, unit: 's', against }, bosh[name] / 5))
  }
  try {
    await uploadSmall(client)
    const { name, ...fleet } = { name: 'fleet', net: 90, disk: 0, canaries: 1, maxInFlight: 10 }
    await deployTimed(client, { name: 'warm', net: 91, instances: 1, disk: 0 })
    await removeSmall(client, 'warm')

    compare('create-20', await whole(client, { name, ...fleet, instances: 20 }))
    compare('no-op-20', await unchanged(client, { name, ...fleet, instances: 20 }))
    compare('create-40-more', await whole(client, { name, ...fleet, instances: 60 }))
    compare('no-op-60', await unchanged(client, { name, ...fleet, instances: 60 }))
    compare('frozen-agent', await frozen(stack, client, { name, ...fleet, instances: 60 }))
    await whole(client, { name, ...fleet, instances: 100, maxInFlight: 50 })
    const hundred = await unchanged(client, { name, ...fleet, instances: 100, maxInFlight: 50 })
    const against = 'HTTP request to answer; every machine asked how it is'
    figures.push(
      atMost({ bench, case: 'deploy again, nothing changed, 100 instances', value: hundred, unit: 'ms', against }, 300),
    )
    await removeSmall(client, name)

    const pair: SmallOptions = { name: 'pair', net: 92, instances: 2, canaries: 1, maxInFlight: 1 }
    await whole(client, pair)
    compare('job-change-2', await whole(client, { ...pair, greeting: 'changed' }))
    const four: SmallOptions = { name: 'four', net: 93, instances: 4, canaries: 0, maxInFlight: 2 }
    await whole(client, four)
    compare('recreate-4-hotswap', await whole(client, { ...four, vmType: 'large', vmStrategy: 'create-swap-delete' }))
    compare('recreate-4-delete-create', await whole(client, { ...four, vmType: 'small', vmStrategy: 'delete-create' }))
    return figures
  } finally {
    await stack.stop()
  }
}

/** Planning and carrying out. */
async function whole(client: Client, options: SmallOptions): Promise<number> {
  const { planMs, runMs, remodels } = await deployTimed(client, options)
  if (remodels === 0) throw new Error(`${options.name}: nothing was to be done`)
  return planMs + runMs
}

async function unchanged(client: Client, options: SmallOptions): Promise<number> {
  const values: number[] = []
  for (let i = 0; i < runs; i++) {
    const { planMs, remodels } = await deployTimed(client, options)
    if (remodels > 0) throw new Error(`${options.name}: ${remodels} remodels though nothing changed`)
    values.push(planMs)
  }
  return median(values)
}

/** One machine does not answer: the unchanged deploy of all must neither fail nor wait long for it. */
async function frozen(stack: TestStack, client: Client, options: SmallOptions): Promise<number> {
  const [instance] = await client.instances(options.name ?? '')
  const pid = Number(readFileSync(join(stack.home, 'machines/vms', instance!.vm!, 'pid'), 'utf8').split(' ')[0])
  process.kill(pid, 'SIGSTOP')
  try {
    return await unchanged(client, options)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}
