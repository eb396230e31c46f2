import { describe, expect, test } from 'vitest'
import { emptyFloorplan, type Floorplan } from '../../../shared/model/material.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { execute } from './execution.ts'
import { plan } from './planning.ts'
import { given as catalog } from './random-manifests.ts'

const given = catalog(false)

interface Wish {
  name?: string
  instances?: number
  azs?: string[]
  disk?: number
  from?: { name: string; az?: string }[]
  statics?: string[]
}

const group = ({ name = 'db', instances = 2, azs = ['z1', 'z2'], disk = 64, from, statics }: Wish = {}) => ({
  name,
  instances,
  azs,
  vm_type: 'small',
  stemcell: 'new',
  ...(disk > 0 ? { persistent_disk: disk } : {}),
  ...(from ? { migrated_from: from } : {}),
  networks: [{ name: 'net', ...(statics ? { static_ips: statics } : {}) }],
  jobs: [{ name: 'agent', release: 'app' }],
})
const manifest = (...groups: object[]) => ({
  name: 'shop',
  releases: [{ name: 'app', version: '1' }],
  stemcells: [{ alias: 'new', os: 'ubuntu-jammy', version: 'latest' }],
  update: { canaries: 0, max_in_flight: 9, canary_watch_time: 100, update_watch_time: 100 },
  instance_groups: groups,
})

async function deployed(document: object, floorplan: Floorplan = emptyFloorplan('shop'), most?: number) {
  const next = await plan(document, given, floorplan)
  return execute(next, floorplan, () => 0, most === undefined ? {} : { most }).floorplan
}

async function refusal(document: object, floorplan: Floorplan): Promise<string> {
  const error = await plan(document, given, floorplan).catch((thrown: unknown) => thrown)
  return error instanceof RemodelError ? error.faults.map(({ message, line }) => `${line}: ${message}`).join('; ') : ''
}

/** Slot -> cloud id. */
const disks = ({ materials }: Floorplan) =>
  Object.fromEntries(materials.flatMap(({ id, meta }) => (id.startsWith('disk/') ? [[id.slice(5), meta.cid]] : [])))
const machines = ({ materials }: Floorplan) =>
  Object.fromEntries(materials.flatMap(({ id, meta }) => (id.startsWith('instance/') ? [[id.slice(9), meta.vm]] : [])))

/** As a group that was made when the cloud had no AZs. */
const withoutAzs = (floorplan: Floorplan): Floorplan => ({
  ...floorplan,
  materials: floorplan.materials.map((one) =>
    'az' in one.attributes ? { ...one, attributes: { ...one.attributes, az: null } } : one,
  ),
})

describe('a group that is renamed', () => {
  test('keeps its machines, its disks and its indexes, wherever the plan is cut off', async () => {
    const before = await deployed(manifest(group({ instances: 3 })))
    const renamed = manifest(group({ name: 'data', instances: 3, from: [{ name: 'db' }] }))
    const first = await plan(renamed, given, before)
    expect(first.remodels.filter(({ step }) => /^(create|delete)-/.test(step))).toEqual([])
    for (let most = 0; most <= first.remodels.length; most++) {
      const after = await deployed(renamed, await deployed(renamed, before, most))
      const moved = (of: Record<string, unknown>) =>
        Object.fromEntries(Object.entries(of).map(([slot, cid]) => [slot.replace('db', 'data'), cid]))
      expect([disks(after), machines(after)]).toEqual([moved(disks(before)), moved(machines(before))])
      expect((await plan(renamed, given, after)).remodels).toEqual([])
    }
  })

  test('joins another one: each instance has the disk that it had, under an index that is free', async () => {
    const before = await deployed(manifest(group({ name: 'left' }), group({ name: 'right', azs: ['z3'] })))
    const joined = manifest(
      group({ azs: ['z1', 'z2', 'z3'], instances: 4, from: [{ name: 'left' }, { name: 'right', az: 'z3' }] }),
    )
    const first = await plan(joined, given, before)
    for (let most = 0; most <= first.remodels.length; most++) {
      const after = await deployed(joined, await deployed(joined, before, most))
      const had = disks(before)
      expect(disks(after)).toEqual({
        'db/0': had['left/0'],
        'db/1': had['left/1'],
        'db/2': had['right/0'],
        'db/3': had['right/1'],
      })
      expect((await plan(joined, given, after)).remodels).toEqual([])
    }
  })

  test('is refused where it is not said: the old one would go with its disks', async () => {
    const before = await deployed(manifest(group()))
    expect(await refusal(manifest(group({ name: 'data' })), before)).toMatch(
      /^\d+: group db goes with its disks while data, which is new, has the same job: was it renamed\?$/,
    )
    expect(await refusal(manifest(group({ name: 'data', disk: 0 })), before)).toBe('')
  })

  test.each([
    ['stays', [group(), group({ name: 'data', from: [{ name: 'db' }] })], 'group "db" cannot move to "data" and stay'],
    [
      'goes to two',
      [group({ name: 'a', from: [{ name: 'db' }] }), group({ name: 'b', from: [{ name: 'db' }] })],
      'group "db" moves to "a" already',
    ],
    [
      'is in another AZ',
      [group({ name: 'data', from: [{ name: 'db', az: 'z2' }] })],
      'db/0 is in az z1, and migrated_from',
    ],
    [
      'has an AZ that the new one lacks',
      [group({ from: [{ name: 'old', az: 'z3' }] })],
      'az "z3" is none of group "db"',
    ],
  ])('is refused where the old one %s', async (_, groups, fault) => {
    expect(await refusal(manifest(...groups), await deployed(manifest(group())))).toContain(fault)
  })
})

describe('a group with disks', () => {
  test('that is given AZs keeps them where the manifest says in which one it is', async () => {
    const before = withoutAzs(await deployed(manifest(group({ azs: ['z1'] }))))
    const said = manifest(group({ azs: ['z1', 'z2'], from: [{ name: 'db', az: 'z1' }] }))
    const after = await deployed(said, before)
    expect(disks(after)).toEqual(disks(before))
    expect((await plan(said, given, after)).remodels).toEqual([])
    expect(await refusal(manifest(group({ azs: ['z1', 'z2'] })), before)).toMatch(
      /the data of db\/0 \(no az\), db\/1 \(no az\) would be lost: group db has az z1, z2 only$/,
    )
  })

  test.each<[string, Wish]>([
    ['another AZ', { azs: ['z3'] }],
    ['one AZ less', { azs: ['z1'] }],
    ['one AZ less and one instance more', { azs: ['z2'], instances: 3 }],
    ['addresses in another AZ', { statics: ['10.0.2.3', '10.0.2.4'], azs: ['z1', 'z2', 'z3'] }],
  ])('is refused with %s', async (_, wish) => {
    expect(await refusal(manifest(group(wish)), await deployed(manifest(group())))).toMatch(/the data of db\/\d/)
  })

  test.each<[string, Wish]>([
    ['fewer instances', { instances: 1 }],
    ['fewer instances in fewer AZs', { instances: 1, azs: ['z2'] }],
    ['no instances', { instances: 0, azs: ['z3'] }],
    ['no disk', { disk: 0, azs: ['z3'] }],
    ['more AZs in another order', { azs: ['z3', 'z2', 'z1'] }],
  ])('is planned with %s', async (_, wish) => {
    expect(await refusal(manifest(group(wish)), await deployed(manifest(group())))).toBe('')
  })
})
