import { test } from 'vitest'
import { inputs } from '../../../kinds/deployment/inputs.ts'
import { expectVersions } from '../drawn-versions.ts'
import { catalog, job, plan, stemcells } from './planning.ts'

test('plans of a deployment say the version of each input', async () => {
  const group = {
    name: 'web',
    instances: 1,
    azs: ['z1'],
    stemcell: 'default',
    vm_type: 'small',
    persistent_disk: 16,
    networks: [{ name: 'default' }],
    jobs: [{ name: 'web', release: 'r' }],
  }
  const cloud = {
    azs: [{ name: 'z1' }],
    vm_types: [{ name: 'small' }],
    networks: [{ name: 'default', type: 'manual', subnets: [{ range: '127.9.1.0/24', azs: ['z1'] }] }],
    compilation: { workers: 1, network: 'default', az: 'z1', vm_type: 'small' },
  }
  const releases = [{ name: 'r', version: '1', jobs: [job('web')], packages: [] }] as never
  const manifest = {
    name: 'shop',
    releases: [{ name: 'r', version: '1' }],
    stemcells: [{ alias: 'default', os: 'ubuntu-jammy', version: '1.1' }],
    update: { canaries: 1, max_in_flight: 1, canary_watch_time: '1-2', update_watch_time: '1-2' },
    instance_groups: [group],
  }
  expectVersions(await plan(manifest, catalog(cloud, releases, stemcells)), inputs)
})
