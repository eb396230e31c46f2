import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { after, FieldPlans, faultsOf, fieldCase } from './case.ts'

const versions = fieldCase('B01')
const words = fieldCase('B02')
const order = fieldCase('B03')

describe.skipIf(!versions)('a version that YAML takes for a number', () => {
  let plans: FieldPlans
  beforeAll(async () => {
    plans = await FieldPlans.open(versions!)
  })
  afterAll(() => plans.close())
  const stemcell = (version: string) => ({ name: 'local', os: 'local', version })
  const releases = () => Promise.all([plans.release('release', '2.1'), plans.release('release-2.10', '2.10')])
  /** The version as the file has it: its last `version:` of a stemcell is without quotes. */
  const given = async (versions: string[]) => ({ releases: await releases(), stemcells: versions.map(stemcell) })

  test('is the version of the stemcell as it is written', async () => {
    const plan = await plans.plan('stemcell-1.360.yml', await given(['1', '1.36', '1.360']))
    expect(after(plan).materials.find(({ id }) => id.startsWith('vm/'))?.attributes.stemcell).toBe('local/1.360')
  })

  test('is said as it is written where there is no such version', async () => {
    const refused = plans.plan('stemcell-12345678901234567890.yml', await given(['1']))
    await expect(refused).rejects.toMatchObject({
      faults: [{ line: 3, found: '12345678901234567890', message: 'stemcell "local" has no such version' }],
    })
  })

  test('is the version of the release as it is written', async () => {
    const all = await given(['1'])
    const plan = await plans.plan('release-version.yml', all)
    const ofRelease = all.releases.find(({ version }) => version === '2.10')!.jobs[0]!.fingerprint
    const instance = after(plan).materials.find(({ id }) => id === 'instance/web/0')
    expect(instance?.attributes.jobs).toEqual({ idle: `digits/${ofRelease}` })
  })
})

describe.skipIf(!words)('yes, no, octal and the like', () => {
  test.each(['defaults.yml', 'written.yml'])('mean the same as a default and in %s', async (manifest) => {
    const plans = await FieldPlans.open(words!)
    try {
      const plan = await plans.plan(manifest, { releases: [await plans.release('release')] })
      const files = await plans.files(after(plan), 'web/0', 'words')
      expect(files.get('config/out')?.trim()).toBe('OFF 644 1000 90 false')
    } finally {
      await plans.close()
    }
  })
})

describe.skipIf(!order)('a map of properties', () => {
  let plans: FieldPlans
  beforeAll(async () => {
    plans = await FieldPlans.open(order!)
  })
  afterAll(() => plans.close())

  test('in another order is no change', async () => {
    const releases = [await plans.release('release')]
    const floorplan = after(await plans.plan('order-1.yml', { releases }))
    expect((await plans.plan('order-2.yml', { releases, floorplan })).remodels).toEqual([])
    expect((await plans.files(floorplan, 'web/0', 'labels')).get('config/out')).toContain('{"a":2,"b":1}')
  })

  test('that is a text instead is refused at its line', async () => {
    const releases = [await plans.release('release')]
    expect(await faultsOf(plans.plan('text-for-hash.yml', { releases }))).toEqual([
      'text-for-hash.yml:14: property "db" of job labels is a map: its spec defines db.host',
    ])
  })
})
