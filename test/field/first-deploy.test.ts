import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServices, type TestStack } from '../support/services.ts'
import { fieldCase } from './case.ts'
import { FieldDeploys } from './deploying.ts'

const first = fieldCase('N04-first-deploy-fails')

describe.skipIf(!first)('after a first deploy that failed', () => {
  let stack: TestStack
  beforeAll(async () => {
    stack = await startServices()
    await stack.client().addStemcell({ name: 'local', os: 'local', version: '1' })
  })
  afterAll(() => stack?.stop())

  test('the instance is listed as failing, its logs are read, and commands are run on it', async () => {
    const client = stack.client()
    const field = await FieldDeploys.open(client, first!)
    expect(await field.deploy('manifest.yml')).toBe('failed')
    const seen = await client.instances('first')
    expect(seen.map(({ instance, state, processes }) => [instance, state, processes.map(({ name }) => name)])).toEqual([
      ['web/0', 'failing', ['a']],
    ])
    const { files } = await client.logs('first', 'web/0', { lines: 5 })
    expect(files.map(({ content }) => content).join('')).toContain('a cannot start: the port is taken')
    expect(await field.said('first', 'web/0', 'cat /var/vcap/instance/name')).toBe('web')
    const [deployment] = await client.deployments()
    expect(deployment).toMatchObject({ name: 'first', lastPlan: { state: 'failed' } })
  }, 150_000)
})
