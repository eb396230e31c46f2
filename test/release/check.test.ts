import { expect, test } from 'vitest'
import { checkRelease, checkStemcell } from '../../shared/release/check.ts'
import { readReleaseDirectory } from '../../shared/release/directory.ts'
import type { Release } from '../../shared/release/release.ts'
import { refusal, releaseFolder } from './fixture.ts'

const pack = (name: string) => ({ name, fingerprint: 'f', dependencies: [], digest: 'sha256:0' })
const release = (more: Partial<Release> = {}): Release => ({
  name: 'web',
  version: '1.0-rc.1+dev.2',
  packages: [],
  jobs: [],
  ...more,
})
const faultsOf = async (check: () => unknown) => {
  const { code, faults } = await refusal(Promise.resolve().then(check))
  return { code, paths: faults.map(({ path }) => path) }
}

test('a release with names as BOSH writes them is taken', () => {
  const compiledPackages = ['ubuntu/1', 'ubuntu/2'].map((stemcell) => ({ ...pack('libstdc++'), stemcell }))
  checkRelease(release({ packages: [pack('golang-1.22-linux'), pack('_x')], compiledPackages }))
  checkStemcell({ name: 'bosh-warden-boshlite-ubuntu-jammy-go_agent', os: 'ubuntu-jammy', version: '1.100' })
})

test('names that are none, and parts that are there twice, are refused with their places before anything is stored', async () => {
  for (const name of ['', 'a\nb', '\u001b[31m', '../../evil', 'a b', 'ä', 'a'.repeat(64), '.', '-x'])
    expect(await faultsOf(() => checkRelease(release({ name })))).toEqual({ code: 'invalid-input', paths: ['name'] })
  for (const version of ['', '../../1 x', '1\n', 'x'.repeat(129)])
    expect(await faultsOf(() => checkRelease(release({ version })))).toEqual({
      code: 'invalid-input',
      paths: ['version'],
    })
  expect(await faultsOf(() => checkRelease(release({ packages: [pack('p'), pack('../q')] })))).toMatchObject({
    paths: ['packages.1.name'],
  })
  expect(await faultsOf(() => checkRelease(release({ packages: [pack('p'), pack('q'), pack('p')] })))).toMatchObject({
    paths: ['packages.2.name'],
  })
  const twice = [1, 2].map(() => ({ ...pack('p'), stemcell: 'ubuntu/1' }))
  expect(await faultsOf(() => checkRelease(release({ compiledPackages: twice })))).toMatchObject({
    paths: ['compiledPackages.1.name'],
  })
  expect(await faultsOf(() => checkStemcell({ name: 'a/b', os: 'x y', version: '' }))).toMatchObject({
    paths: ['name', 'os', 'version'],
  })
})

test('a directory, and a version or a name given for it, are held to the same rule', async () => {
  const folder = await releaseFolder({ 'config/final.yml': 'name: "../../evil"\n' })
  expect(await faultsOf(() => readReleaseDirectory(folder))).toMatchObject({ paths: ['name'] })
  const good = await releaseFolder({})
  expect(await faultsOf(() => readReleaseDirectory(good, { version: '1\u001b[2J' }))).toMatchObject({
    paths: ['version'],
  })
  expect(await faultsOf(() => readReleaseDirectory(good, { name: 'a b' }))).toMatchObject({ paths: ['name'] })
})

test('a spec that is too long is refused by its size, in a directory as in a tarball', async () => {
  const long = `name: j\n${'# x\n'.repeat(600_000)}`
  const folder = await releaseFolder({ 'jobs/j/spec': long, 'jobs/j/monit': '' })
  const { faults } = await refusal(readReleaseDirectory(folder))
  expect(faults).toEqual([
    { file: `${folder}/jobs/j/spec`, message: 'is too long', found: '2400008 bytes', allowed: '2097152 bytes' },
  ])
})
