import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { remodel } from '../cli/remodel.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, uploadSmall } from '../support/small.ts'

let first: TestStack
let second: TestStack
let folder: string
const client = () => first.client()
const planner = (stack: TestStack) => stack.client().address.url
const steps = (view: { plan: { remodels: { step: string }[] } }) => new Set(view.plan.remodels.map(({ step }) => step))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-export-'))
  first = await startServices()
  await uploadSmall(client())
})
afterAll(async () => {
  await first?.stop()
  await second?.stop()
  await rm(folder, { recursive: true, force: true })
})

it('an export before anything is compiled names every package that is missing, and leaves no file', async () => {
  const [release] = await client().releases()
  const file = join(folder, 'early.tgz')
  const args = ['export-release', `small/${release!.version}`, 'local/1', '-o', file, '--planner', planner(first)]
  const ran = await remodel(args)
  expect(ran.code).toBe(1)
  expect(ran.stderr).toContain('not compiled for local/1: app, base, extra, lib, tool')
  expect((await remodel(['inspect-release', 'small/ghost', '--planner', planner(first)])).stderr).toContain(
    `there is small/${release!.version}`,
  )
})

it('what one Remodel compiled and exported is deployed by another without compiling', async () => {
  const options = { name: 'origin', net: 71, front: true }
  expect((await deploySmall(client(), options)).ended).toBe('done')
  const file = join(folder, 'small.tgz')
  const exported = await remodel([
    'export-release',
    'origin',
    'local/1',
    '-o',
    file,
    '--json',
    '--planner',
    planner(first),
  ])
  expect(exported.stderr).toBe('')
  expect(JSON.parse(exported.stdout)).toMatchObject({ file, stemcell: 'local/1', packages: 5, jobs: 2 })
  expect(await removeSmall(client(), 'origin')).toBe('done')

  // No compiler at all: a compile remodel would wait for ever.
  second = await startServices({ planner: 1, assembler: 1 })
  const other = second.client()
  const uploaded = await remodel(['upload-release', file, '--planner', planner(second)])
  expect(uploaded.stderr).toBe('')
  expect(uploaded.stdout).toContain('2 jobs, 5 packages')
  await other.addStemcell({ name: 'local', os: 'local', version: '1' })
  await other.addStemcell({ name: 'local', os: 'local', version: '2' })
  const deployed = await deploySmall(other, { ...options, name: 'copy', net: 72 })
  expect(steps(deployed)).not.toContain('compile-package')
  expect(deployed.ended).toBe('done')
  expect((await other.instances('copy')).map(({ state }) => state)).toEqual(['running', 'running', 'running'])

  const [release] = await other.releases()
  const inspected = await other.release('small', release!.version)
  expect(inspected.release.packages).toEqual([])
  expect(inspected.compiled).toEqual(
    Object.fromEntries(['app', 'base', 'extra', 'lib', 'tool'].map((name) => [name, ['local/1']])),
  )

  // `local/2` is another major version, and there is no source.
  const refused = await planSmall(other, { ...options, name: 'copy', net: 72, stemcell: '2' }).catch((error) => error)
  expect(refused.code).toBe('invalid-input')
  expect(refused.faults[0]).toMatchObject({
    message: expect.stringContaining('has no source, and is not compiled for local/2'),
    allowed: 'local/1',
  })

  // Another minor version of the same major one takes what was compiled on the first.
  await other.addStemcell({ name: 'local', os: 'local', version: '1.1' })
  const minor = await deploySmall(other, { ...options, name: 'minor', net: 73, stemcell: '1.1' })
  expect([minor.ended, steps(minor).has('compile-package')]).toEqual(['done', false])

  // Uploading the source of the same release adds what was missing, and `local/2` may now be planned.
  const source = await client().release('small', release!.version)
  expect(source.release.packages).toHaveLength(5)
  const again = await remodel([
    'upload-release',
    join(import.meta.dirname, '../fixtures/small'),
    '--planner',
    planner(second),
  ])
  expect([again.stderr, again.code]).toEqual(['', 0])
  expect((await other.releases()).map((one) => [one.packages.length, one.compiledPackages?.length])).toEqual([[5, 5]])
  expect(steps(await planSmall(other, { ...options, name: 'copy', net: 72, stemcell: '2' }))).toContain(
    'compile-package',
  )
  expect((await planSmall(other, { ...options, name: 'copy', net: 72 })).plan.remodels).toEqual([])

  for (const name of ['copy', 'minor']) expect(await removeSmall(other, name)).toBe('done')
})
