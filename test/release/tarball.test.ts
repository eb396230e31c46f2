import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import type { ArchiveEntry } from '../../shared/release/archive.ts'
import { readReleaseDirectory } from '../../shared/release/directory.ts'
import { packRelease } from '../../shared/release/pack.ts'
import { readReleaseTarball } from '../../shared/release/tarball.ts'
import { casesFolder } from '../support/cases.ts'
import { fileEntry, refusal, releaseFolder, tarGz, temporaryFolder } from './fixture.ts'

const jobSpec = 'name: j\ntemplates:\n  a: bin/a\npackages:\n- p\nproperties:\n  x: {default: 1}\n'
const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex')
const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

interface Parts {
  job?: Buffer
  pack?: Buffer
  /** Instead of the digest of the package. */
  packDigest?: string
  extra?: ArchiveEntry[]
  manifest?: (text: string) => string
}

async function tarballOf(parts: Parts = {}): Promise<Buffer> {
  const job =
    parts.job ?? (await tarGz(fileEntry('job.MF', jobSpec), fileEntry('monit', ''), fileEntry('templates/a', 'a')))
  const pack = parts.pack ?? (await tarGz(fileEntry('packaging', 'make')))
  const text = `name: rel
version: 1.10
commit_hash: abc
jobs:
- name: j
  version: fp-job
  fingerprint: fp-job
  sha1: ${sha1(job)}
packages:
- name: p
  version: fp-pack
  fingerprint: fp-pack
  sha1: ${parts.packDigest ?? `${sha1(pack)};${sha256(pack)}`}
  dependencies: []
`
  const manifest = parts.manifest?.(text) ?? text
  return tarGz(
    fileEntry('./release.MF', manifest),
    fileEntry('./jobs/j.tgz', job),
    fileEntry('./packages/p.tgz', pack),
    ...(parts.extra ?? []),
  )
}

async function read(bytes: Buffer, limits?: { entries: number; bytes: number; ratio: number }) {
  const scratch = await temporaryFolder()
  const tarball = join(await temporaryFolder(), 'release.tgz')
  await writeFile(tarball, bytes)
  const store = await DiskBlobstore.open(await temporaryFolder())
  const release = readReleaseTarball(tarball, async (content) => (await store.put(content)).digest, {
    scratch,
    ...(limits ? { limits } : {}),
  })
  return { tarball, release, store, scratch }
}

/** Reads what must be refused, and holds that nothing is left behind. */
async function refused(bytes: Buffer, limits?: { entries: number; bytes: number; ratio: number }) {
  const { release, store, scratch, tarball } = await read(bytes, limits)
  const error = await refusal(release)
  expect(error.code).toBe('invalid-input')
  expect(await readdir(scratch)).toEqual([])
  expect(await digests(store)).toEqual([])
  return error.faults.map((fault) => ({
    ...fault,
    ...(fault.file === undefined ? {} : { file: fault.file.replace(tarball, 'T') }),
  }))
}

it('reads a tarball into the same release and puts its archives unchanged', async () => {
  const { release, store, scratch } = await read(await tarballOf())
  const found = await release
  expect(found).toMatchObject({
    name: 'rel',
    packages: [{ name: 'p', fingerprint: 'fp-pack', dependencies: [] }],
    jobs: [
      {
        name: 'j',
        fingerprint: 'fp-job',
        packages: ['p'],
        templates: { a: 'bin/a' },
        properties: { x: { default: 1 } },
      },
    ],
  })
  expect(found).not.toHaveProperty('compiledPackages')
  expect((await store.get(found.packages[0]!.digest)).equals(await tarGz(fileEntry('packaging', 'make')))).toBe(true)
  expect(await digests(store)).toHaveLength(2)
  expect(await readdir(scratch)).toEqual([])
})

it('reads back what packRelease made of a directory', async () => {
  const directory = await releaseFolder({
    'packages/p/spec': 'name: p\nfiles: [a]\n',
    'packages/p/packaging': 'make',
    'src/a': 'a',
    'jobs/j/spec': jobSpec,
    'jobs/j/monit': '',
    'jobs/j/templates/a': 'a',
  })
  const blobs = await DiskBlobstore.open(await temporaryFolder())
  const packed = await packRelease(
    await readReleaseDirectory(directory),
    async (content) => (await blobs.put(content)).digest,
  )
  const [job, pack] = [await blobs.get(packed.jobs[0]!.digest), await blobs.get(packed.packages[0]!.digest)]
  const manifest = (text: string) =>
    text.replaceAll('fp-job', packed.jobs[0]!.fingerprint).replaceAll('fp-pack', packed.packages[0]!.fingerprint)
  const { release } = await read(await tarballOf({ job, pack, manifest }))
  const { packages, jobs } = await release
  expect({ packages, jobs }).toEqual({ packages: packed.packages, jobs: packed.jobs })
})

it('reads a plain tar, and compiled packages with the stemcell they are for', async () => {
  const compiled = await tarGz(fileEntry('bin/p', 'x'), {
    type: 'link',
    path: 'lib',
    target: '/usr/lib/other',
  })
  const manifest = (text: string) =>
    text.replace(
      /packages:\n- name: p[\s\S]*/,
      `compiled_packages:\n- name: p\n  fingerprint: fp-pack\n  sha1: ${sha256(compiled)}\n  stemcell: ubuntu-jammy/1.100\n  dependencies: []\n`,
    )
  const bytes = await tarballOf({ manifest, extra: [fileEntry('compiled_packages/p.tgz', compiled)] })
  const { release } = await read(gunzipSync(bytes))
  expect((await release).compiledPackages).toEqual([
    { name: 'p', fingerprint: 'fp-pack', dependencies: [], stemcell: 'ubuntu-jammy/1.100', digest: sha256(compiled) },
  ])
  expect((await release).packages).toEqual([])
})

it('keeps a version as it is written, not as a number', async () => {
  const { release } = await read(await tarballOf())
  expect((await release).version).toBe('1.10')
})

const inner = async (...entries: ArchiveEntry[]) => ({ pack: await tarGz(fileEntry('packaging', 'make'), ...entries) })
const hostile: [string, () => Promise<Parts>, Record<string, unknown>][] = [
  [
    'a path with ..',
    async () => ({ extra: [fileEntry('packages/../../evil', 'x')] }),
    { file: 'T', path: 'packages/../../evil', message: expect.stringContaining('leads out') },
  ],
  [
    'an absolute path',
    async () => ({ extra: [fileEntry('/etc/evil', 'x')] }),
    { file: 'T', path: '/etc/evil', message: expect.stringContaining('leads out') },
  ],
  [
    'any link at all in the outer archive',
    async () => ({ extra: [{ type: 'link', path: 'packages/q.tgz', target: 'p.tgz' }] }),
    { file: 'T', path: 'packages/q.tgz', found: 'p.tgz' },
  ],
  [
    'a path with .. in a package',
    () => inner(fileEntry('a/../../evil', 'x')),
    { file: 'T:packages/p.tgz', path: 'a/../../evil' },
  ],
  [
    'an absolute link in a package',
    () => inner({ type: 'link', path: 'l', target: '/etc' }),
    { file: 'T:packages/p.tgz', path: 'l', found: '/etc' },
  ],
  [
    'a link out of a package',
    () => inner({ type: 'link', path: 'd/l', target: '../../x' }),
    { file: 'T:packages/p.tgz', path: 'd/l', found: '../../x' },
  ],
  [
    'a file that goes through a link',
    () => inner({ type: 'link', path: 'd', target: 'e' }, fileEntry('d/x', 'x')),
    { file: 'T:packages/p.tgz', path: 'd/x', message: expect.stringContaining('link d') },
  ],
  [
    'a wrong digest',
    async () => ({ packDigest: 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3' }),
    { file: 'T:release.MF', line: 13, path: 'packages[0].sha1', allowed: 'a94a8fe5ccb19ba61c4c0873d391e987982fbbd3' },
  ],
  [
    'a digest of which one half is wrong',
    async () => ({ packDigest: `${sha1(await tarGz(fileEntry('packaging', 'make')))};sha256:${'0'.repeat(64)}` }),
    { path: 'packages[0].sha1' },
  ],
  ['a digest that cannot be checked', async () => ({ packDigest: 'md5:abc' }), { path: 'packages[0].sha1' }],
  [
    'a name that is a path',
    async () => ({ manifest: (text: string) => text.replace('- name: p', '- name: ../p') }),
    { file: 'T:release.MF', path: 'packages[0].name' },
  ],
  [
    'a package that is not there',
    async () => ({ manifest: (text: string) => text.replace('- name: p\n', '- name: q\n') }),
    { line: 10, path: 'packages[0].name', found: 'q', suggestion: 'packages/p.tgz' },
  ],
  [
    'a dependency that is not there',
    async () => ({ manifest: (text: string) => text.replace('dependencies: []', 'dependencies: [q]') }),
    { line: 14, path: 'packages[0].dependencies[0]', found: 'q' },
  ],
  [
    'a job without a spec',
    async () => ({ job: await tarGz(fileEntry('monit', '')) }),
    { file: 'T:jobs/j.tgz', path: 'job.MF' },
  ],
  [
    'a job of an unknown package',
    async () => ({ job: await tarGz(fileEntry('job.MF', jobSpec.replace('- p', '- ghost'))) }),
    { file: 'T:jobs/j.tgz:job.MF', line: 5, found: 'ghost' },
  ],
  [
    'a package that is no archive',
    async () => ({ pack: Buffer.from('no archive '.repeat(200)) }),
    { file: 'T:packages/p.tgz', message: expect.stringContaining('not a whole tar archive') },
  ],
  [
    'a package that is a plain tar, which no machine unpacks',
    async () => ({ pack: gunzipSync(await tarGz(fileEntry('packaging', 'make'))) }),
    { file: 'T:packages/p.tgz', message: expect.stringContaining('pack it with tar -z') },
  ],
  [
    'a package that is packed with zstd',
    async () => ({ pack: zstdCompressSync(gunzipSync(await tarGz(fileEntry('packaging', 'make')))) }),
    { file: 'T:packages/p.tgz', message: expect.stringContaining('pack it with tar -z') },
  ],
  [
    'a file that is in it twice, of which the last one would win',
    async () => ({ extra: [fileEntry('release.MF', 'name: other\nversion: 9\n')] }),
    { file: 'T', path: 'release.MF', message: expect.stringContaining('twice') },
  ],
  [
    'a file that is in a package twice',
    async () => inner(fileEntry('packaging', 'make'), fileEntry('./packaging', 'rm -rf /')),
    { file: 'T:packages/p.tgz', path: 'packaging', message: expect.stringContaining('twice') },
  ],
  [
    'a directory under the name of a file',
    async () => inner(fileEntry('packaging', 'make'), { type: 'directory', path: 'packaging' }),
    { file: 'T:packages/p.tgz', message: expect.stringContaining('twice') },
  ],
  [
    'a package that is listed twice',
    async () => ({
      manifest: (text) => `${text}- name: p\n  version: other\n  sha1: ${/sha1: (\S+)\n {2}dep/.exec(text)![1]}\n`,
    }),
    { file: 'T:release.MF', path: 'packages[1].name', line: 15, message: 'packages[0] has this name already' },
  ],
  ...['', 'a\nb', '\u001b[31mred', '../../evil', 'a:b c', 'a'.repeat(64)].map((name): (typeof hostile)[number] => [
    `the name ${JSON.stringify(name.slice(0, 20))}`,
    async () => ({ manifest: (text) => text.replace('name: rel', `name: ${JSON.stringify(name)}`) }),
    { file: 'T:release.MF', path: 'name', line: 1, message: expect.stringContaining('must be 1 to 63 letters') },
  ]),
  [
    'a version that is no word',
    async () => ({ manifest: (text) => text.replace('version: 1.10', 'version: ../../1 x') }),
    { file: 'T:release.MF', path: 'version', line: 2, message: expect.stringContaining('must be 1 to 128 letters') },
  ],
  [
    'a package whose name is no word',
    async () => ({ manifest: (text) => text.replace('name: p', 'name: "p q"') }),
    { file: 'T:release.MF', path: 'packages[0].name', message: expect.stringContaining('must be 1 to 128 letters') },
  ],
  [
    'a job.MF of 9 megabytes, before it is read',
    async () => ({
      job: await tarGz(
        fileEntry('job.MF', `${jobSpec}${'# 60,000 properties\n'.repeat(450_000)}`),
        fileEntry('monit', ''),
      ),
    }),
    { file: 'T:jobs/j.tgz', path: 'job.MF', message: expect.stringContaining('larger than 2097152 bytes') },
  ],
]
it.for(hostile)('refuses %s with the reason and leaves nothing behind', async ([, parts, expected]) => {
  expect(await refused(await tarballOf(await parts()))).toEqual([expect.objectContaining(expected)])
})

it('refuses absurd sizes before it reads them: by claim, by count, by what they unpack to', async () => {
  const limits = { entries: 20, bytes: 1_000_000, ratio: 1100 }
  const claim = gunzipSync(await tarGz(fileEntry('packages/p.tgz', 'x')))
  // A size of 2^62 in the base-256 form of the header, with the sum of the header made right again.
  Buffer.from([0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]).copy(claim, 124)
  claim.fill(' ', 148, 156)
  claim.write(
    `${claim
      .subarray(0, 512)
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  expect(await refused(gzipSync(claim))).toEqual([expect.objectContaining({ file: 'T' })])
  const many = Array.from({ length: 30 }, (_, index) => fileEntry(`x${index}`, ''))
  expect(await refused(await tarballOf({ extra: many }), limits)).toEqual([
    expect.objectContaining({ message: expect.stringContaining('entries') }),
  ])
  const bomb = await inner(fileEntry('zeros', Buffer.alloc(2_000_000)))
  expect(await refused(await tarballOf(bomb), limits)).toEqual([
    expect.objectContaining({ file: 'T:packages/p.tgz', path: 'zeros', message: expect.stringContaining('bytes') }),
  ])
  expect(await refused(await tarballOf(bomb), { ...limits, bytes: 10_000_000, ratio: 50 })).toEqual([
    expect.objectContaining({ file: 'T:packages/p.tgz' }),
  ])
})

it('refuses a tarball cut off anywhere, and never hangs on it', async () => {
  const bytes = await tarballOf({
    pack: await tarGz(
      fileEntry('packaging', Buffer.from(Array.from({ length: 50_000 }, (_, at) => (at * 7919) % 251))),
    ),
  })
  for (const part of [0, 0.1, 0.5, 0.9])
    expect((await refused(bytes.subarray(0, Math.floor(bytes.length * part)))).length).toBe(1)
})

async function digests(store: DiskBlobstore): Promise<string[]> {
  const found: string[] = []
  for await (const { digest } of store.list()) found.push(digest)
  return found
}

for (const folder of ['C09-duplicate-entries-and-packages', 'C10-release-names']) {
  const cases = join(casesFolder, 'field', folder)
  it.runIf(existsSync(cases))(`refuses every tarball of ${folder}, with place and reason`, async () => {
    for (const file of (await readdir(cases)).filter((name) => name.endsWith('.tgz'))) {
      const [fault] = await refused(await readFile(join(cases, file)))
      expect(fault, file).toMatchObject({ message: expect.stringMatching(/twice|already|must be 1 to/) })
    }
  })
}
