import { expect, it } from 'vitest'
import { mergeReleases } from '../../shared/release/merge.ts'
import type { Release } from '../../shared/release/release.ts'

const part = (name: string, fingerprint = `${name}-1`) => ({ name, fingerprint, digest: `sha256:${name}` })
const job = (name: string, fingerprint?: string) => ({
  ...part(name, fingerprint),
  packages: [],
  templates: {},
  properties: {},
  provides: [],
  consumes: [],
})
const pack = (name: string, fingerprint?: string) => ({ ...part(name, fingerprint), dependencies: [] })
const compiled = (name: string, stemcell: string, fingerprint?: string) => ({ ...pack(name, fingerprint), stemcell })
const release = (more: Partial<Release>): Release => ({ name: 'web', version: '1', jobs: [], packages: [], ...more })

const source = release({ jobs: [job('j'), job('k')], packages: [pack('a'), pack('b')] })
const forOne = release({ jobs: [job('j')], compiledPackages: [compiled('a', 'os/1')] })
const forTwo = release({ jobs: [job('j')], compiledPackages: [compiled('a', 'os/2'), compiled('a', 'os/1')] })

it('adds the forms of packages that were missing, whichever came first', () => {
  const all = mergeReleases(mergeReleases(source, forOne), forTwo)
  expect(all.jobs.map(({ name }) => name)).toEqual(['j', 'k'])
  expect(all.packages.map(({ name }) => name)).toEqual(['a', 'b'])
  expect(all.compiledPackages?.map(({ stemcell }) => stemcell)).toEqual(['os/1', 'os/2'])
  const other = mergeReleases(mergeReleases(forTwo, source), forOne)
  expect(other.packages).toEqual(source.packages)
  expect(new Set(other.compiledPackages?.map(({ stemcell }) => stemcell))).toEqual(new Set(['os/1', 'os/2']))
})

it('keeps the stored part where the fingerprints are equal, however it was packed', () => {
  const repacked = release({ ...source, packages: source.packages.map((one) => ({ ...one, digest: 'sha256:other' })) })
  expect(mergeReleases(source, repacked)).toEqual(source)
})

it('refuses another release under the same name and version, and says what differs', () => {
  const conflict = (what: string) =>
    expect.objectContaining({ code: 'conflict', message: expect.stringContaining(what) })
  const refused = (given: Release, stands = source) => {
    try {
      mergeReleases(stands, given)
    } catch (error) {
      return error
    }
    throw new Error('not refused')
  }
  expect(refused(release({ ...source, jobs: [job('j', 'other'), job('k')] }))).toEqual(conflict('job j'))
  expect(refused(release({ ...source, jobs: [job('j')] }))).toEqual(conflict('job k'))
  expect(refused(release({ ...source, packages: [...source.packages, pack('c')] }))).toEqual(conflict('package c'))
  expect(refused(release({ compiledPackages: [compiled('a', 'os/1', 'other')] }))).toEqual(conflict('package a'))
})
