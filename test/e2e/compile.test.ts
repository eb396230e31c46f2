import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../cli/client.ts'
import type { Event } from '../../services/planner/api/schema.ts'
import { OwnRelease } from '../support/packaging.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { planSmall, removeSmall, supplySmall } from '../support/small.ts'

let stack: TestStack
let client: Client
let release: OwnRelease

beforeAll(async () => {
  stack = await startServices({ planner: 1, compiler: 2, assembler: 1 })
  client = stack.client()
  await supplySmall(client)
  release = await OwnRelease.copy()
})

afterAll(async () => {
  await stack.stop()
  await release.remove()
})

const apply = async (plan: string) => {
  await client.apply(plan, { holder: 'test' })
  return settled(client, plan)
}

const compiles = (events: Event[]) =>
  events.filter(({ type, facts }) => type === 'remodel.done' && facts?.key !== undefined)

describe('a package', () => {
  test('that was compiled after the plan was drawn is not compiled again', async () => {
    const [first, second] = await Promise.all(
      ['one', 'two'].map((name, n) => planSmall(client, { name, net: 64 + n, instances: 1 })),
    )
    expect(await apply(first!.plan.id)).toBe('done')
    expect(await apply(second!.plan.id)).toBe('done')
    const [one, two] = [compiles(await client.events('one')), compiles(await client.events('two'))]
    expect(one.map(({ facts }) => facts?.cached)).toEqual(Array(5).fill(false))
    expect(two.map(({ facts }) => [facts?.cached, facts?.vm])).toEqual(Array(5).fill([true, undefined]))
    for (const name of ['one', 'two']) expect(await removeSmall(client, name)).toBe('done')
  })

  test('whose script fails is reported with its last lines; what needs it is skipped, independent ones are compiled', async () => {
    const version = await release.with(client, {
      lib: 'echo "about to break"; echo "lib cannot be built" >&2; exit 3\n',
    })
    const { plan } = await planSmall(client, { name: 'broken', net: 66, instances: 1, stemcell: '2', release: version })
    expect(await apply(plan.id)).toBe('failed')
    const { status } = await client.planView(plan.id)
    expect(status.errors).toHaveLength(1)
    expect(status.errors[0]).toMatchObject({ code: 'job-failed', message: 'packaging of lib exited with 3' })
    expect(status.errors[0]?.log).toContain('lib cannot be built')
    const done = compiles(await client.events('broken')).map(({ remodel }) => remodel!.split(/[ /]/)[1])
    expect(done.sort()).toEqual(['base', 'extra', 'tool'])
    const failedOn = (await client.events('broken')).find(({ type }) => type === 'remodel.failed')
    expect(failedOn?.attempt).toBe(1)
    expect(await removeSmall(client, 'broken')).toBe('done')
  })

  test('is compiled on a machine of its own where machines are not reused', async () => {
    const version = await release.with(client, {
      lib: 'mkdir -p $BOSH_INSTALL_TARGET/share; cp lib/text $BOSH_INSTALL_TARGET/share/lib\n',
    })
    const { plan } = await planSmall(client, {
      name: 'fresh',
      net: 68,
      instances: 1,
      stemcell: '2',
      reuse: false,
      release: version,
    })
    expect(await apply(plan.id)).toBe('done')
    const vms = compiles(await client.events('fresh'))
      .filter(({ facts }) => facts?.cached === false)
      .map(({ facts }) => facts?.vm)
    expect(vms.length).toBeGreaterThan(0)
    expect(new Set(vms).size).toBe(vms.length)
    expect(await removeSmall(client, 'fresh')).toBe('done')
  })
})
