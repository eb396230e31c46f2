import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServices, type TestStack } from '../support/services.ts'
import { fieldCase } from './case.ts'
import { FieldDeploys } from './deploying.ts'

const zones = fieldCase('B06')

describe.skipIf(!zones)('a group with a disk that is given AZs', () => {
  let stack: TestStack
  beforeAll(async () => {
    stack = await startServices()
    await stack.client().addStemcell({ name: 'local', os: 'local', version: '1' })
  })
  afterAll(() => stack?.stop())

  test('is the same instance with the same disk, where migrated_from says the AZ', async () => {
    const client = stack.client()
    const field = await FieldDeploys.open(client, zones!)
    const shell = (script: string) => client.exec('store', 'db/0', { argv: ['/bin/sh', '-c', script] })
    expect(await field.deploy('1-manifest.yml', { cloud: '1-cloud.yml' })).toBe('done')
    await shell('echo kept > /var/vcap/store/file')
    const [before] = await client.instances('store')
    expect(await field.deploy('2-manifest.yml', { cloud: '2-cloud.yml' })).toBe('done')
    const after = await client.instances('store')
    expect(after.map(({ instance, az, disk }) => [instance, az, disk])).toEqual([['db/0', 'z1', before!.disk]])
    expect((await shell('cat /var/vcap/store/file')).stdout).toBe('kept\n')
    expect((await field.plan('2-manifest.yml', { cloud: '2-cloud.yml' })).plan.remodels).toEqual([])
  }, 200_000)
})
