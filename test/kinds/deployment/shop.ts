import type { Release } from '../../../shared/release/release.ts'
import { catalog, job, pack, stemcells } from './planning.ts'

/** A small manifest and cloud config as text, so that faults have lines. */
export const manifestText = `name: shop
features: {use_dns_addresses: true}
releases:
- {name: app, version: latest}
stemcells:
- {alias: jammy, os: ubuntu-jammy, version: 1.latest}
update:
  canaries: 1
  max_in_flight: 1
  canary_watch_time: 1000-30000
  update_watch_time: 1000-30000
instance_groups:
- name: db
  azs: [z1]
  instances: 1
  vm_type: small
  stemcell: jammy
  persistent_disk_type: fast
  networks: [{name: net, static_ips: [10.0.0.10]}]
  jobs:
  - {name: db, release: app}
- name: web
  azs: [z1, z2]
  instances: 3
  vm_type: small
  stemcell: jammy
  networks: [{name: net}]
  update: {vm_strategy: create-swap-delete}
  jobs:
  - name: web
    release: app
    properties: {port: 8080}
`

export const cloudText = `azs: [{name: z1}, {name: z2, cloud_properties: {rack: 2}}]
vm_types:
- {name: small, cloud_properties: {cpu: 1, ram: 512}}
- {name: large, cloud_properties: {cpu: 4, ram: 4096}}
vm_extensions: [{name: public, cloud_properties: {public: true}}]
disk_types: [{name: fast, disk_size: 1024}]
networks:
- name: net
  type: manual
  subnets:
  - {range: 10.0.0.0/27, gateway: 10.0.0.1, az: z1, reserved: [10.0.0.2 - 10.0.0.9], static: [10.0.0.10 - 10.0.0.12]}
  - {range: 10.0.1.0/27, gateway: 10.0.1.1, az: z2}
- {name: cloudy, type: dynamic, subnets: [{az: z1}]}
compilation: {workers: 2, az: z1, network: net, vm_type: large}
`

const database = { type: 'database', optional: false, shared: false }

export const app: Release = {
  name: 'app',
  version: '1.10',
  packages: [pack('base'), pack('lib', ['base']), pack('web', ['lib'], 'web-10'), pack('db', ['lib'])],
  jobs: [
    job('db', {
      packages: ['db'],
      provides: [{ name: 'db', properties: ['user.name'], ...database }],
      properties: { 'user.name': { default: 'admin' } },
    }),
    job('web', {
      packages: ['web'],
      properties: { port: { default: 80 }, 'tls.on': { default: false }, secret: {} },
      consumes: [{ name: 'db', properties: [], ...database }],
    }),
    job('after', { templates: { 'post.erb': './bin/post-deploy' } }),
    job('broken', { packages: ['nowhere'] }),
  ],
}

/** 1.9 is before 1.10, which only a comparison by numbers knows. */
export const older: Release = { ...app, version: '1.9' }

export const given = (cloud: string = cloudText, releases: Release[] = [older, app]) =>
  catalog(cloud, releases, stemcells)
