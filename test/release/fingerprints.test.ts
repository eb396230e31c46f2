import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { extract } from 'tar'
import { describe, expect, it } from 'vitest'
import { readReleaseDirectory } from '../../shared/release/directory.ts'
import { type FingerprintFile, fingerprint } from '../../shared/release/fingerprint.ts'
import { describeFault, RemodelError } from '../../shared/runtime/errors.ts'
import { readCases } from '../support/cases.ts'

const fingerprints = readCases('bosh/fingerprints.ndjson')
const missing = fingerprints === null

interface ContentCase {
  name: string
  kind: 'package' | 'job'
  version_or_commit: string
  files: FingerprintFile[]
  dependencies: string[]
  expected: string
}
interface ReleaseCase {
  name: string
  kind: 'release'
  release_dir_tar_base64: string
  expected?: { packages: Record<string, string>; jobs: Record<string, string>; license?: string }
  expected_error_contains?: string[]
}
const cases: (ContentCase | ReleaseCase)[] = (fingerprints ?? '')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line))
const content = cases.filter((one) => one.kind !== 'release')
const releases = cases.filter((one) => one.kind === 'release')

describe.skipIf(missing)('fingerprints of public releases', () => {
  it(`are the published ones, all ${content.length} of them`, () => {
    const wrong = content.filter((one) => fingerprint(one.files, one.dependencies) !== one.expected)
    expect(wrong.map((one) => `${one.kind} ${one.name} ${one.version_or_commit}`)).toEqual([])
    expect(content.length).toBeGreaterThan(0)
  })
})

describe.skipIf(missing)('a release directory has the fingerprints of the real CLI', () => {
  it.for(releases.map((one) => [one.name, one] as const))('%s', async ([, one]) => {
    const directory = await mkdtemp(join(tmpdir(), 'remodel-release-'))
    try {
      await pipeline(
        Readable.from([Buffer.from(one.release_dir_tar_base64, 'base64')]),
        extract({ cwd: directory, preservePaths: true, umask: 0, processUmask: 0 }),
      )
      const read = readReleaseDirectory(directory, { cycles: 'keep' })
      if (one.expected) {
        const release = await read
        expect({
          packages: Object.fromEntries(release.packages.map((pack) => [pack.name, pack.fingerprint])),
          jobs: Object.fromEntries(release.jobs.map((job) => [job.name, job.fingerprint])),
          ...(one.expected.license === undefined ? {} : { license: release.license }),
        }).toEqual(one.expected)
      } else {
        const error = await read.then(
          () => null,
          (thrown: unknown) => thrown,
        )
        expect(error).toBeInstanceOf(RemodelError)
        expect((error as RemodelError).code).toBe('invalid-input')
        const text = (error as RemodelError).faults.map(describeFault).join('\n')
        for (const words of one.expected_error_contains ?? []) expect(text).toContain(words)
      }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
