import { afterAll, beforeAll, expect, test } from 'vitest'
import { lineDiff } from '../../cli/views/line-diff.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { remodel } from './remodel.ts'

let stack: TestStack
beforeAll(async () => {
  stack = await startServices({ planner: 1 })
})
afterAll(() => stack?.stop())

const cloud = `azs: [{ name: z1 }]
vm_types: [{ name: small, cloud_properties: { cpu: 1, ram: 128 } }]
networks: [{ name: default, type: manual, subnets: [{ range: 10.9.1.0/24, gateway: 10.9.1.1, azs: [z1] }] }]
compilation: { workers: 2, az: z1, network: default, vm_type: small }
`
const hosts = 'hosts: [{ id: a, address: 10.9.1.9 }]\n'
const run = (args: string[], input = '') =>
  remodel(args, { input, env: { REMODEL_HOME: stack.home, REMODEL_TOKEN: process.env.REMODEL_TOKEN } })

test('what was stored can be listed, read, compared and deleted, and what never was is named', async () => {
  expect((await run(['configs'])).stdout).toContain('No config is stored')
  expect((await run(['update-cloud-config', '-'], cloud)).code).toBe(0)
  expect(await run(['update-cloud-config', '-', '--name', 'hosts'], hosts)).toMatchObject({ code: 0 })
  expect((await run(['configs'])).stdout).toMatch(/cloud +default +4 lines[\s\S]*cloud +hosts +1 line\n/)
  expect((await run(['cloud-config'])).stdout).toBe(cloud)
  expect((await run(['cloud-config', '--name', 'hosts'])).stdout).toBe(hosts)
  expect((await run(['diff-cloud-config', '-'], cloud)).stdout).toContain('stored just so')
  const changed = await run(['diff-cloud-config', '-'], cloud.replace('workers: 2', 'workers: 3'))
  expect(changed.stdout.split('\n').filter((line) => /^[-+]/.test(line))).toEqual([
    '-compilation: { workers: 2, az: z1, network: default, vm_type: small }',
    '+compilation: { workers: 3, az: z1, network: default, vm_type: small }',
  ])
  const asked = await run(['delete-cloud-config', '--name', 'hosts'])
  expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('add -y') })
  const absent = await run(['delete-cloud-config', '--name', 'host'])
  expect(absent).toMatchObject({ code: 2, stderr: expect.stringContaining('there is default, hosts') })
  expect((await run(['delete-cloud-config', '--name', 'hosts', '-y'])).code).toBe(0)
  expect((await run(['cloud-config', '--name', 'hosts'])).stderr).toContain('there is no cloud config hosts')
})

test('lines that went and came are shown, and no others', () => {
  expect(lineDiff('a\nb\nc\n', 'a\nx\nc\nd\n')).toEqual([' a', '-b', '+x', ' c', '+d'])
  expect(lineDiff('', 'a\n')).toEqual(['+a'])
  expect(lineDiff('a', '')).toEqual(['-a'])
})
