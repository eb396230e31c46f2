import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KindRegistry } from '../../kinds/registry.ts'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import { takeConfig } from '../../services/planner/catalog/configs.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { refusal } from '../release/fixture.ts'
import { casesFolder } from '../support/cases.ts'
import { openKinds } from '../support/kinds.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let catalog: Catalog
let kinds: KindRegistry

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis({ url: server.url, prefix: 'test' }, 'service')
  catalog = new Catalog(redis, { url: server.url, prefix: 'test' })
  kinds = await openKinds()
})
beforeEach(() => redis.flushall())
afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

const sound = `azs: [{ name: z1 }]
vm_types: [{ name: small, cloud_properties: { cpu: 1, ram: 128 } }]
networks: [{ name: default, type: manual, subnets: [{ range: 10.9.1.0/24, gateway: 10.9.1.1, azs: [z1] }] }]
compilation: { workers: 2, az: z1, network: default, vm_type: small }
`
const put = (content: string, name = 'default', type: 'cloud' | 'runtime' = 'cloud') =>
  takeConfig({ type, name, content }, { catalog, kinds })
const refused = async (...given: Parameters<typeof put>) => {
  const { code, faults } = await refusal(put(...given))
  return { code, ...faults[0] }
}

const wrong: [what: string, content: string, fault: Record<string, unknown>][] = [
  ['an empty file', '', { file: 'cloud-config default', line: 1 }],
  ['a word', 'somewhere\n', { line: 1 }],
  [
    'a runtime config',
    'releases: [{ name: a, version: 1 }]\n',
    { line: 1, path: 'releases', message: 'unknown key "releases"' },
  ],
  ['a manifest', 'name: shop\ninstance_groups: []\n', { message: 'unknown key "name"' }],
  [
    'one without compilation',
    sound.slice(0, sound.indexOf('compilation')),
    { message: expect.stringContaining('compilation is missing') },
  ],
  [
    'a compilation of two minds',
    sound.replace('vm_type: small }', 'vm_type: small, cloud_properties: { time_limit: 20 } }'),
    { line: 4 },
  ],
  [
    'a network that is not there',
    sound.replace('network: default', 'network: defualt'),
    { line: 4, path: 'compilation.network', suggestion: 'default' },
  ],
  ['a vm type that is there twice', sound.replace('vm_types: [', 'vm_types: [{ name: small }, '), { line: 2 }],
  ['a host that is none', `${sound}hosts: [{ id: h1 }]\n`, { line: 5 }],
]
test.for(wrong)(
  'a cloud config is refused with its place where plans would be: %s, and the one before stays',
  async ([, content, fault]) => {
    await put(sound)
    expect(await refused(content)).toMatchObject({ code: 'invalid-input', ...fault })
    expect(await catalog.configs()).toEqual([{ type: 'cloud', name: 'default', content: sound }])
  },
)

test('cloud configs are checked together, and one that adds no fault to those that are stored is taken', async () => {
  await put(sound)
  await put('vm_types: [{ name: large }]\n', 'more')
  expect(await refused('vm_types: [{ name: small }]\n', 'more')).toMatchObject({
    message: 'vm type "small" is there twice',
  })
  await put('hosts: [{ id: h1, address: 10.9.1.9 }]\n', 'hosts')
  // From a time when nothing was looked at.
  await catalog.putConfig({ type: 'cloud', name: 'old', content: 'nonsense: true\n' })
  await put(sound.replace('workers: 2', 'workers: 3'))
  await put('disk_types: [{ name: d, disk_size: 10 }]\n', 'old')
  expect(await refused('a: 1\n', '../x')).toMatchObject({ path: 'name' })
  expect(await refused('- a\n', 'default', 'runtime')).toMatchObject({ file: 'runtime-config default' })
})

for (const file of ['C18-update-cloud-config-unchecked/cloud-config.yml', 'N05-cloud-config/runtime.yml']) {
  const path = join(casesFolder, 'field', file)
  test.runIf(existsSync(path))(`${file} is refused`, async () => {
    expect((await refused(readFileSync(path, 'utf8'))).code).toBe('invalid-input')
  })
}
