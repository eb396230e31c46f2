import fc from 'fast-check'
import type { Release } from '../../../shared/release/release.ts'
import { catalog, job, pack, stemcells } from './planning.ts'

/** Releases whose versions differ in one package, one job and one dependency. */
const releases: Release[] = ['1', '2', '3'].map((version) => ({
  name: 'app',
  version,
  packages: [
    pack('base', [], version === '3' ? 'base-3' : 'base-1'),
    pack('lib', ['base']),
    pack('web', ['lib', 'base'], `web-${version}`),
    pack('db', ['lib']),
    pack('tool'),
  ],
  jobs: [
    job('web', {
      packages: ['web', 'tool'],
      fingerprint: `web-${version}`,
      properties: { port: { default: 80 } },
      consumes: [{ name: 'db', type: 'database', optional: true, shared: false, properties: [] }],
    }),
    job('db', {
      packages: ['db'],
      provides: [{ name: 'db', type: 'database', optional: false, shared: false, properties: [] }],
    }),
    job('agent', { packages: ['tool'], templates: { 'post.erb': 'bin/post-deploy' } }),
  ],
}))

const azs = ['z1', 'z2', 'z3']

/** 8 static and some 20 dynamic addresses in each AZ, so that addresses wander and run short. */
const cloud = {
  azs: azs.map((name) => ({ name })),
  vm_types: [
    { name: 'small', cloud_properties: { cpu: 1 } },
    { name: 'large', cloud_properties: { cpu: 4 } },
  ],
  disk_types: [{ name: 'fast', disk_size: 2048 }],
  networks: [
    {
      name: 'net',
      type: 'manual',
      subnets: azs.map((az, place) => ({
        range: `10.0.${place}.0/27`,
        gateway: `10.0.${place}.1`,
        az,
        reserved: [`10.0.${place}.2`],
        static: [`10.0.${place}.3 - 10.0.${place}.10`],
      })),
    },
  ],
  compilation: { workers: 3, az: 'z1', network: 'net', vm_type: 'large' },
}

export const given = (shuffled: boolean) =>
  catalog(cloud, shuffled ? [...releases].reverse() : releases, shuffled ? [...stemcells].reverse() : stemcells)

const group = (name: string) =>
  fc.record({
    name: fc.constant(name),
    instances: fc.integer({ min: 0, max: 5 }),
    azs: fc.subarray(azs, { minLength: 1 }),
    vm_type: fc.constantFrom('small', 'large'),
    stemcell: fc.constantFrom('old', 'new'),
    disk: fc.constantFrom(0, 1024, 1024),
    isStatic: fc.boolean(),
    /** Which static addresses, by order in the AZ. */
    skip: fc.integer({ min: 0, max: 2 }),
    db: fc.boolean(),
    port: fc.integer({ min: 80, max: 82 }),
    update: fc.record({
      serial: fc.boolean(),
      canaries: fc.constantFrom<number | string>(0, 1, 2, '50%'),
      max_in_flight: fc.constantFrom<number | string>(1, 2, '50%'),
      vm_strategy: fc.constantFrom('delete-create', 'create-swap-delete'),
    }),
  })

/**
 * A manifest of up to three groups; static addresses come from one small stock, so that groups take over each other's.
 */
export const manifests = fc
  .record({
    version: fc.constantFrom('1', '2', '3'),
    useDns: fc.boolean(),
    reverse: fc.boolean(),
    groups: fc.tuple(group('a'), group('b'), group('c')),
    count: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ version, useDns, reverse, groups, count }) => {
    const stock = new Map(azs.map((az, place) => [az, Array.from({ length: 8 }, (_, n) => `10.0.${place}.${n + 3}`)]))
    if (reverse) for (const free of stock.values()) free.reverse()
    let hasDb = false
    return {
      name: 'shop',
      features: { use_dns_addresses: useDns },
      releases: [{ name: 'app', version }],
      stemcells: [
        { alias: 'old', os: 'ubuntu-jammy', version: '1.1' },
        { alias: 'new', os: 'ubuntu-jammy', version: 'latest' },
      ],
      update: { canaries: 1, max_in_flight: 1, canary_watch_time: '100-1000', update_watch_time: 100 },
      instance_groups: groups.slice(0, count).map(({ disk, isStatic, skip, db, port, ...rest }) => {
        const provides = db && !hasDb
        hasDb ||= provides
        const statics = Array.from({ length: rest.instances }, (_, n) => {
          const free = stock.get(rest.azs[n % rest.azs.length] ?? '') ?? []
          return free.splice(Math.min(skip, free.length - 1), 1)[0]
        })
        const enough = statics.every((address) => address !== undefined)
        return {
          ...rest,
          ...(disk > 0 ? { persistent_disk: disk } : {}),
          networks: [{ name: 'net', ...(isStatic && enough ? { static_ips: statics } : {}) }],
          jobs: [
            ...(provides ? [{ name: 'db', release: 'app' }] : []),
            { name: 'web', release: 'app', properties: { port } },
            { name: 'agent', release: 'app' },
          ],
        }
      }),
    }
  })
