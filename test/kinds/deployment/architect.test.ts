import { describe, expect, test } from 'vitest'
import type { Strategy } from '../../../kinds/deployment/plan/strategy.ts'
import { emptyFloorplan } from '../../../shared/model/material.ts'
import { nameKey, ReservedNames } from '../../../shared/model/reservation.ts'
import type { Release } from '../../../shared/release/release.ts'
import { describeFault, RemodelError } from '../../../shared/runtime/errors.ts'
import { catalog, document, job, kind, options, pack } from './planning.ts'
import { app, cloudText, given, manifestText, older } from './shop.ts'

function drawn(manifest = manifestText, cloud = cloudText, releases?: Release[]): Strategy {
  return kind.architect(document('shop.yml', manifest), given(cloud, releases)).strategy as unknown as Strategy
}

/** Every fault as people see it. */
function faultsOf(manifest: string, cloud = cloudText, releases?: Release[]): string[] {
  try {
    drawn(manifest, cloud, releases)
  } catch (error) {
    if (error instanceof RemodelError && error.code === 'invalid-input') return error.faults.map(describeFault)
    throw error
  }
  return []
}

const inManifest: [what: string, from: string, to: string, fault: string][] = [
  [
    'an unknown key',
    'instances: 3',
    'instances: 3\n  colour: red',
    'shop.yml:25: instance_groups[1].colour: unknown key "colour"',
  ],
  [
    'a key that is missing',
    '  stemcell: jammy\n  persistent',
    '  persistent',
    'shop.yml:13: instance_groups[0].stemcell: is missing',
  ],
  [
    'an unknown release',
    '{name: app, version',
    '{name: ap, version',
    'shop.yml:4: releases[0].name: unknown release "ap" (allowed: app; did you mean app?)',
  ],
  [
    'an unknown version',
    'version: latest',
    'version: "2"',
    'shop.yml:4: releases[0].version: release "app" has no such version (found 2; allowed: latest, 1.9, 1.10',
  ],
  [
    'an unknown stemcell',
    'os: ubuntu-jammy',
    'os: ubuntu-noble',
    'shop.yml:6: stemcells[0].os: unknown stemcell os "ubuntu-noble"',
  ],
  [
    'an unknown stemcell version',
    '1.latest',
    '2.latest',
    'shop.yml:6: stemcells[0].version: stemcell "ubuntu-jammy" has no such version (found 2.latest; allowed: latest, 1.1, 1.2',
  ],
  [
    'an unknown stemcell alias',
    'stemcell: jammy\n  networks',
    'stemcell: jamy\n  networks',
    'shop.yml:26: instance_groups[1].stemcell: unknown stemcell alias "jamy" (allowed: jammy; did you mean jammy?)',
  ],
  [
    'an unknown vm type',
    'vm_type: small\n  stemcell: jammy\n  networks',
    'vm_type: smal\n  stemcell: jammy\n  networks',
    'shop.yml:25: instance_groups[1].vm_type: unknown vm type "smal" (allowed: large, small; did you mean small?)',
  ],
  [
    'an unknown vm extension',
    'instances: 3',
    'instances: 3\n  vm_extensions: [publik]',
    'shop.yml:25: instance_groups[1].vm_extensions[0]: unknown vm extension "publik" (allowed: public; did you mean public?)',
  ],
  [
    'an unknown disk type',
    'persistent_disk_type: fast',
    'persistent_disk_type: slow',
    'shop.yml:18: instance_groups[0].persistent_disk_type: unknown disk type "slow"',
  ],
  [
    'an unknown network',
    '[{name: net}]',
    '[{name: nett}]',
    'shop.yml:27: instance_groups[1].networks[0].name: unknown network "nett" (allowed: cloudy, net; did you mean net?)',
  ],
  [
    'a dynamic network',
    '[{name: net}]',
    '[{name: cloudy}]',
    'shop.yml:27: instance_groups[1].networks[0].name: network "cloudy" is dynamic: its addresses come from the cloud',
  ],
  [
    'an unknown az',
    '[z1, z2]',
    '[z1, z3]',
    'shop.yml:23: instance_groups[1].azs[1]: unknown az "z3" (allowed: z1, z2; did you mean z1?)',
  ],
  [
    'azs that the network has, but the group does not say',
    '  azs: [z1, z2]\n',
    '',
    'instance_groups[1].networks[0].name: group "web" must say its azs: network "net" has them (allowed: z1, z2)',
  ],
  [
    'an unknown job',
    'name: web\n    release',
    'name: webb\n    release',
    'shop.yml:30: instance_groups[1].jobs[0].name: unknown job in release app/1.10 "webb" (allowed: after, broken, db, web; did you mean web?)',
  ],
  [
    'a release that the manifest does not list',
    '    release: app',
    '    release: other',
    'shop.yml:31: instance_groups[1].jobs[0].release: unknown release "other"',
  ],
  [
    'a package that the release lacks',
    '- {name: db, release: app}',
    '- {name: db, release: app}\n  - {name: broken, release: app}',
    'unknown package in release app, which job broken needs: "nowhere"',
  ],
  [
    'a required link without a provider',
    'jobs:\n  - {name: db, release: app}\n',
    'jobs: []\n',
    'no job provides link "db" of type database for job web (allowed: a job that provides type database)',
  ],
  [
    'a link from an unknown provider',
    '    properties: {port',
    '    consumes: {db: {from: dbb}}\n    properties: {port',
    'shop.yml:32: instance_groups[1].jobs[0].consumes.db.from: no job provides link "db" of type database for job web (found dbb; allowed: db of db/db; did you mean db?)',
  ],
  [
    'an ambiguous link',
    '    properties: {port',
    '  - {name: db, release: app}\n    #',
    'several jobs provide link "db" of type database for job web: say which with from (found db of db/db, db of web/db)',
  ],
  [
    'a required link that is nil',
    '    properties: {port',
    '    consumes: {db: nil}\n    properties: {port',
    'link "db" of job web is not optional and cannot be nil (found nil)',
  ],
  [
    'a consumed link that the job does not know',
    '    properties: {port',
    '    consumes: {dbs: {from: db}}\n    properties: {port',
    'unknown link that job web consumes: "dbs" (allowed: db; did you mean db?)',
  ],
  [
    'a link to another deployment',
    '    properties: {port',
    '    consumes: {db: {from: db, deployment: x}}\n    properties: {port',
    'links to other deployments are not supported (found x)',
  ],
  [
    'a static address outside every subnet',
    '[10.0.0.10]',
    '[10.9.0.10]',
    'shop.yml:19: instance_groups[0].networks[0].static_ips[0]: address lies in no subnet of network "net" (found 10.9.0.10; allowed: 10.0.0.0 - 10.0.0.31, 10.0.1.0 - 10.0.1.31)',
  ],
  [
    'a static address that is reserved',
    '[10.0.0.10]',
    '[10.0.0.5]',
    'address is reserved in network "net" (found 10.0.0.5; allowed: 10.0.0.10 - 10.0.0.12)',
  ],
  [
    'a static address that is not static',
    '[10.0.0.10]',
    '[10.0.0.20]',
    'address is not static in network "net" (found 10.0.0.20',
  ],
  [
    'a static address twice',
    '[10.0.0.10]',
    '[10.0.0.10, 10.0.0.10]',
    'shop.yml:19: instance_groups[0].networks[0].static_ips[1]: address 10.0.0.10 is there twice',
  ],
  [
    'too many static addresses',
    '[10.0.0.10]',
    '[10.0.0.10 - 10.0.0.11]',
    'group "db" has 1 instances, so it needs as many static addresses (found 2; allowed: 1)',
  ],
  [
    'a static address of another group',
    '3\n  vm_type: small\n  stemcell: jammy\n  networks: [{name: net}]',
    '1\n  vm_type: small\n  stemcell: jammy\n  networks: [{name: net, static_ips: [10.0.0.10]}]',
    'shop.yml:27: instance_groups[1].networks[0].static_ips: address 10.0.0.10 is taken by group "db" already (found 10.0.0.10)',
  ],
  [
    'a static address in an az that the group lacks',
    'azs: [z1]\n',
    'azs: [z2]\n',
    'address lies in a subnet of z1, where group "db" has no instances (found 10.0.0.10; allowed: z2)',
  ],
  [
    'two groups of one name',
    '- name: web\n  azs',
    '- name: db\n  azs',
    'shop.yml:22: instance_groups[1].name: instance group "db" is there twice',
  ],
  [
    'two jobs of one name',
    '- {name: db, release: app}',
    '- {name: db, release: app}\n  - {name: db, release: app}',
    'job "db" is there twice',
  ],
  [
    'watch times that run backwards',
    'canary_watch_time: 1000-30000',
    'canary_watch_time: 30000-1000',
    'shop.yml:10: update.canary_watch_time: the shortest time is longer than the longest (found 30000-1000',
  ],
  ['an unknown strategy', 'create-swap-delete', 'create-swap', 'shop.yml:28: instance_groups[1].update.vm_strategy:'],
  ['max_in_flight that is no number', 'max_in_flight: 1', 'max_in_flight: many', 'shop.yml:9: update.max_in_flight:'],
  [
    'several disks',
    'persistent_disk_type: fast',
    'persistent_disks: [{name: a, type: fast}]',
    'several disks per instance are not supported',
  ],
  [
    'a placeholder without a value',
    'port: 8080',
    'port: ((port))',
    'shop.yml:32: instance_groups[1].jobs[0].properties.port: ((port)) has no value',
  ],
]

const inCloud: [what: string, from: string, to: string, fault: string][] = [
  ['an unknown key', 'vm_extensions:', 'vm_extension:', 'cloud.yml:5: vm_extension: unknown key "vm_extension"'],
  [
    'a range that is none',
    'range: 10.0.1.0/27',
    'range: 10.0.1.0',
    'cloud.yml:12: networks[0].subnets[1].range: is no address block (found 10.0.1.0; allowed: a block like 10.0.0.0/24)',
  ],
  [
    'a gateway outside the range',
    'gateway: 10.0.1.1',
    'gateway: 10.0.2.1',
    'gateway: lies outside the range of its subnet (found 10.0.2.1; allowed: 10.0.1.0 - 10.0.1.31)',
  ],
  [
    'a gateway at the end of the range',
    'gateway: 10.0.1.1',
    'gateway: 10.0.1.31',
    'must not be the first or the last address of the range',
  ],
  [
    'reserved addresses outside the range',
    '10.0.0.2 - 10.0.0.9',
    '10.0.0.2 - 10.0.1.9',
    'reserved[0]: lies outside the range of its subnet',
  ],
  [
    'static addresses that are reserved',
    'static: [10.0.0.10',
    'static: [10.0.0.8',
    'static addresses must not be reserved, the gateway, or an end of the range (found 10.0.0.8 - 10.0.0.12; allowed: none of 10.0.0.0 - 10.0.0.9)',
  ],
  [
    'subnets that overlap',
    'range: 10.0.1.0/27, gateway: 10.0.1.1',
    'range: 10.0.0.0/28, gateway: 10.0.0.1',
    'this range overlaps with that of subnet 0 of the same network',
  ],
  ['a subnet of an unknown az', 'az: z2}', 'az: z9}', 'subnets[1].az: unknown az "z9"'],
  [
    'a subnet without an az beside one with',
    ', az: z2}',
    '}',
    'either all subnets of a network name their azs, or none does',
  ],
  [
    'two vm types of one name',
    '{name: large',
    '{name: small',
    'cloud.yml:4: vm_types[1].name: vm type "small" is there twice',
  ],
  [
    'compilation in an unknown network',
    'network: net, vm',
    'network: nett, vm',
    'compilation.network: unknown network "nett"',
  ],
  [
    'compilation in an az that its network lacks',
    'workers: 2, az: z1, network: net',
    'workers: 2, az: z2, network: cloudy',
    'network "cloudy" does not serve the az of compilation (found z2; allowed: z1)',
  ],
  [
    'no compilation',
    'compilation: {workers: 2, az: z1, network: net, vm_type: large}',
    '',
    'compilation is missing: it says where packages are compiled',
  ],
]

describe('bad input is refused with its place, what was found and what is allowed', () => {
  test.each(inManifest)('%s in the manifest', (_, from, to, fault) => {
    expect(manifestText).toContain(from)
    expect(faultsOf(manifestText.replace(from, to))).toContainEqual(expect.stringContaining(fault))
  })
  test.each(inCloud)('%s in the cloud config', (_, from, to, fault) => {
    expect(cloudText).toContain(from)
    expect(faultsOf(manifestText, cloudText.replace(from, to))).toContainEqual(expect.stringContaining(fault))
  })
})

test('all faults of manifest and cloud config are shown at once', () => {
  const faults = faultsOf(
    manifestText.replace('[z1, z2]', '[z8, z9]').replace('name: web\n    release', 'name: wev\n    release'),
    cloudText.replace('10.0.1.1,', '10.7.1.1,'),
  )
  expect(faults.map((fault) => fault.split(': ')[1])).toEqual([
    'networks[0].subnets[1].gateway',
    'instance_groups[1].azs[0]',
    'instance_groups[1].azs[1]',
    'instance_groups[1].jobs[0].name',
    'instance_groups[1].networks[0].name',
  ])
})

test('packages that need each other are named as a circle', () => {
  const circle = { ...app, packages: [pack('base', ['lib']), pack('lib', ['base']), pack('web', ['lib']), pack('db')] }
  expect(faultsOf(manifestText, cloudText, [circle])).toEqual([
    expect.stringContaining('packages need each other in a circle: base -> lib -> base'),
  ])
})

test('one package name with two contents in one group is refused', () => {
  const other: Release = {
    name: 'other',
    version: '1',
    packages: [pack('web', [], 'other-web')],
    jobs: [job('extra', { packages: ['web'] })],
  }
  const manifest = manifestText
    .replace('version: latest}', 'version: latest}\n- {name: other, version: "1"}')
    .replace('    properties: {port: 8080}', '  - {name: extra, release: other}')
  expect(faultsOf(manifest, cloudText, [app, other])).toEqual([
    expect.stringContaining(
      'package "web" of job extra of release other is another one than that of job web of release app',
    ),
  ])
})

test('a static address that another deployment holds is refused where it stands, unless it is of another network of the cloud', async () => {
  const name = { type: 'address', scope: '', name: '10.0.0.10' }
  const reserved = new ReservedNames([new Map([[nameKey(name), 'other']])])
  const draw = (cloud: string) => {
    const blueprint = kind.architect(document('shop.yml', manifestText), given(cloud))
    return kind.foreman(blueprint, emptyFloorplan('shop'), options, { reserved })
  }
  await expect(draw(cloudText)).rejects.toMatchObject({
    faults: [{ message: 'address 10.0.0.10 is held by deployment other', line: 19 }],
  })
  const apart = cloudText.replace('{range: 10.0.0.0/27,', '{cloud_properties: {name: blue}, range: 10.0.0.0/27,')
  expect(apart).not.toBe(cloudText)
  const { reservations = [] } = await draw(apart)
  expect(reservations).toContainEqual(expect.objectContaining({ type: 'address', scope: 'blue', name: '10.0.0.10' }))
})

test('latest and prefixes mean the newest by number, not by letters', () => {
  const { groups } = drawn()
  expect(groups[0]?.jobs[0]?.release.version).toBe('1.10')
  expect(groups[0]?.stemcell.version).toBe('1.2')
  expect(drawn(manifestText, cloudText, [app, older]).groups[0]?.jobs[0]?.release.version).toBe('1.10')
})

test('properties are those of the job spec, with defaults, and nothing else', () => {
  const manifest = manifestText.replace('{port: 8080}', '{port: 8080, tls: {on: null, extra: 1}, unknown: 2}')
  expect(drawn(manifest).groups[1]?.jobs[0]?.properties).toEqual({ port: 8080, tls: { on: false } })
})

test('a link carries the provider and the properties that it shows', () => {
  expect(drawn().groups[1]?.jobs[0]?.links).toEqual({
    db: { group: 'db', network: 'net', useDns: true, properties: { user: { name: 'admin' } } },
  })
})

test('a group overrides the update block of the deployment, and BOSH gives the rest', () => {
  expect(drawn().groups.map((group) => group.update)).toEqual([
    expect.objectContaining({
      serial: true,
      vmStrategy: 'delete-create',
      canaries: '1',
      maxInFlight: '1',
      canaryWatch: { minMs: 1000, maxMs: 30000 },
    }),
    expect.objectContaining({ serial: true, vmStrategy: 'create-swap-delete' }),
  ])
})

test('materials are packages, disks and instances, each with what it needs', () => {
  const { materials } = kind.architect(document('shop.yml', manifestText), given())
  const kinds = Map.groupBy(materials, (material) => material.id.split('/')[0])
  expect(kinds.get('disk')?.map((material) => material.id)).toEqual(['disk/db/0'])
  expect(kinds.get('instance')?.map((material) => material.id)).toEqual([
    'instance/db/0',
    'instance/web/0',
    'instance/web/1',
    'instance/web/2',
  ])
  expect(
    kinds
      .get('package')
      ?.map((material) => material.attributes.name)
      .sort(),
  ).toEqual(['base', 'db', 'lib', 'web'])
  const ids = new Set(materials.map((material) => material.id))
  for (const need of materials.flatMap((material) => material.needs)) expect(ids).toContain(need)
})

test('what is accepted but not acted on is said in the notes', () => {
  const manifest = `${manifestText}variables: [{name: password, type: password}]\naddons: [{name: syslog, jobs: []}]\n`
  expect(drawn(manifest).notes).toEqual([
    'addons are not deployed yet: syslog',
    'variables are not generated: their values must be given with the manifest (1 declared)',
  ])
})

test('what `latest` has become is said in the notes, and a version that is written as it is needs none', () => {
  expect(drawn(manifestText).versions).toEqual(['release app: latest is 1.10', 'stemcell jammy: 1.latest is 1.2'])
  const exact = manifestText
    .replace('version: latest', "version: '1.10'")
    .replace('version: 1.latest', "version: '1.2'")
  expect(drawn(exact).versions).toEqual([])
})

test('several cloud configs are one, in whatever order they are given', () => {
  const parts = [cloudText.replace(/^azs:.*\n/, ''), 'azs: [{name: z1}, {name: z2, cloud_properties: {rack: 2}}]\n']
  const { releases, stemcells } = given()
  const draw = (clouds: string[]) => {
    const files = clouds.map((text) => document(text.startsWith('azs') ? 'a.yml' : 'b.yml', text))
    return kind.architect(document('shop.yml', manifestText), {
      ...catalog('{}', [...releases], [...stemcells]),
      configs: { cloud: files, runtime: [] },
    })
  }
  expect(draw(parts)).toEqual(draw(parts.toReversed()))
  expect(draw(parts)).toEqual(kind.architect(document('shop.yml', manifestText), given()))
})

describe('a link of a spec', () => {
  const withLink = (properties: string[]) => ({
    ...app,
    jobs: app.jobs.map((one) =>
      one.name === 'web'
        ? { ...one, provides: [{ name: 'self', type: 'self', optional: false, shared: false, properties }] }
        : one,
    ),
  })

  test('that provides a property which the spec does not define is a fault', () => {
    const faults = faultsOf(manifestText, cloudText, [withLink(['prot']), older])
    expect(faults).toEqual([
      expect.stringContaining('link "self" of job web provides property "prot", which the job\'s spec does not define'),
    ])
  })
})
