import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gunzipSync } from 'node:zlib'
import { extract, type ReadEntry } from 'tar'
import { expect, it } from 'vitest'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { readReleaseDirectory } from '../../shared/release/directory.ts'
import { eachEntry } from '../../shared/release/entries.ts'
import { type PackOptions, packRelease } from '../../shared/release/pack.ts'
import { fileEntry, refusal, releaseFolder, type Tree, tarGz, temporaryFolder } from './fixture.ts'

async function pack(tree: Tree | string, options: PackOptions = {}) {
  const directory = typeof tree === 'string' ? tree : await releaseFolder(tree)
  const store = await DiskBlobstore.open(await temporaryFolder())
  const local = await readReleaseDirectory(directory)
  const release = await packRelease(local, async (content) => (await store.put(content)).digest, options)
  return { directory, local, release, store }
}

/** What `tar` itself finds in an archive. */
async function contents(archive: Buffer): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  await eachEntry(Readable.from([archive]), { file: 'archive', links: 'inside' }, async (path, entry: ReadEntry) => {
    expect([entry.uid, entry.gid, entry.mtime?.getTime()]).toEqual([0, 0, 0])
    found[path] = `${entry.mode?.toString(8)} ${Buffer.concat((await entry.collect()) as Buffer[]).toString()}`
  })
  return found
}

const long = `${'deep/'.repeat(40)}${'n'.repeat(120)}.c`
const sound: Tree = {
  'packages/p/spec': "name: p\nfiles:\n- '**/*'\n",
  'packages/p/packaging': 'make\n',
  'src/a.c': 'int a;',
  'src/run': ['executable', '#!/bin/sh\n'],
  'src/l': ['link', 'a.c'],
  [`src/${long}`]: 'long',
  'blobs/b.bin': 'blob',
  'blobs/a.c': 'src wins',
  'config/blobs.yml': 'b.bin: {size: 4, sha: abc}\na.c: {size: 8, sha: abc}\n',
  'jobs/j/spec': 'name: j\ntemplates:\n  ctl.erb: bin/ctl\npackages:\n- p\n',
  'jobs/j/monit': 'check process j\n',
  'jobs/j/properties_schema.json': '{}',
  'jobs/j/templates/ctl.erb': 'ctl',
  'jobs/j/templates/unlisted': 'no',
}

it('packs what the specs name, and the archives say the same as the release', async () => {
  const { release, store, local } = await pack(sound)
  expect(release).toMatchObject({ name: 'web', version: local.version })
  expect(await contents(await store.get(release.packages[0]!.digest))).toEqual({
    '.keep': '644 ',
    'a.c': '644 int a;',
    'b.bin': '644 blob',
    [long]: '644 long',
    packaging: '755 make\n',
    run: '755 #!/bin/sh\n',
  })
  expect(await contents(await store.get(release.jobs[0]!.digest))).toEqual({
    'job.MF': `644 ${sound['jobs/j/spec']}`,
    monit: '644 check process j\n',
    'properties_schema.json': '644 {}',
    'templates/ctl.erb': '644 ctl',
  })
  expect(release.jobs[0]).not.toHaveProperty('files')
  const target = await temporaryFolder()
  await pipeline(await store.stream(release.packages[0]!.digest), extract({ cwd: target, strict: true }))
  expect(await readFile(join(target, 'l'), 'utf8')).toBe('int a;')
  expect(await readFile(join(target, long), 'utf8')).toBe('long')
})

it('equal input gives equal archives, wherever and whenever it stands', async () => {
  const one = await pack(sound)
  const other = await releaseFolder(Object.fromEntries(Object.entries(sound).reverse()))
  await utimes(join(other, 'src/a.c'), 1, 1)
  const two = await pack(other)
  expect(two.release).toEqual(one.release)
})

it('refuses links that lead out of the package or the release, all at once, and puts nothing', async () => {
  const directory = await releaseFolder({
    ...sound,
    'src/up': ['link', '../../etc/passwd'],
    'src/root': ['link', '/etc/passwd'],
    'src/in/side': ['link', '../a.c'],
    'jobs/j/templates/ctl.erb': ['link', '/etc/passwd'],
  })
  const local = await readReleaseDirectory(directory)
  let puts = 0
  const { faults, code } = await refusal(packRelease(local, async () => `${puts++}`))
  expect(code).toBe('invalid-input')
  expect(faults.map((fault) => fault.file?.slice(directory.length + 1)).sort()).toEqual([
    'jobs/j/templates/ctl.erb',
    'src/root',
    'src/up',
  ])
  expect(puts).toBe(0)
})

it('refuses a blob that would be written through a link of src', async () => {
  const directory = await releaseFolder({
    ...sound,
    'src/d/x': '1',
    'src/ld': ['link', 'd'],
    'blobs/ld/y': '2',
    'config/blobs.yml': 'ld/y: {size: 1, sha: a}\n',
  })
  const { faults } = await refusal(packRelease(await readReleaseDirectory(directory), async () => ''))
  expect(faults).toEqual([expect.objectContaining({ path: 'ld/y', message: expect.stringContaining('ld') })])
})

it('fails where a file changes between reading and packing, and leaves no blob', async () => {
  const directory = await releaseFolder(sound)
  const local = await readReleaseDirectory(directory)
  await writeFile(join(directory, 'src/a.c'), 'int b;')
  const store = await DiskBlobstore.open(await temporaryFolder())
  expect((await refusal(packRelease(local, async (content) => (await store.put(content)).digest))).code).toBe(
    'conflict',
  )
  expect(await readdir(join(store.directory, 'sha256'))).toEqual([])
  expect(await readdir(join(store.directory, 'temporary'))).toEqual([])
})

it('runs pre_packaging over a copy of the files and packs what it leaves', async () => {
  const script =
    'set -e\ntest "$PWD" = "$BUILD_DIR"\ntest -f "$RELEASE_DIR/config/final.yml"\nmkdir made empty\nmv a.c made/a.c\nln -s made/a.c link\necho out\n'
  const tree = {
    'packages/p/spec': 'name: p\nfiles:\n- a.c\n',
    'packages/p/packaging': 'make\n',
    'packages/p/pre_packaging': script,
    'src/a.c': 'int a;',
  }
  const { release, store, directory } = await pack(tree)
  expect(await contents(await store.get(release.packages[0]!.digest))).toEqual({
    'made/a.c': '644 int a;',
    packaging: '755 make\n',
  })
  expect(await readFile(join(directory, 'src/a.c'), 'utf8')).toBe('int a;')
  expect((await pack(tree)).release).toEqual(release)
})

it('tells how pre_packaging failed, and kills what it started when time is up', async () => {
  const tree = (script: string) => ({
    'packages/p/spec': 'name: p\n',
    'packages/p/packaging': '',
    'packages/p/pre_packaging': script,
  })
  const failed = await refusal(pack(tree('echo the reason >&2; exit 3')))
  expect(failed).toMatchObject({
    code: 'job-failed',
    details: { package: 'p', output: expect.stringContaining('the reason') },
  })
  const note = join(await temporaryFolder(), 'pid')
  expect((await refusal(pack(tree(`sleep 600 & echo $! > ${note}; wait`), { timeoutMs: 500 }))).code).toBe('deadline')
  const pid = Number(await readFile(note, 'utf8'))
  await expect.poll(() => isAlive(pid)).toBe(false)
  expect((await refusal(pack(tree('ln -s /etc/passwd out')))).faults).toEqual([
    expect.objectContaining({ path: 'out' }),
  ])
})

it('takes a vendored package from the blobstore of the release, and checks it', async () => {
  const bytes = await tarGz(fileEntry('packaging', 'make\n'))
  const sha1 = createHash('sha1').update(bytes).digest('hex')
  const tree: Tree = {
    'config/final.yml': 'name: web\nblobstore:\n  provider: local\n  options:\n    blobstore_path: store\n',
    'packages/v/spec.lock': 'name: v\nfingerprint: abc123\n',
    '.final_builds/packages/v/index.yml': `builds:\n  abc123:\n    version: abc123\n    blobstore_id: id-1\n    sha1: ${sha1}\n`,
  }
  const directory = await releaseFolder(tree)
  await mkdir(join(directory, 'store'))
  await writeFile(join(directory, 'store/id-1'), bytes)
  const { release, store } = await pack(directory)
  expect(release.packages).toEqual([{ name: 'v', fingerprint: 'abc123', dependencies: [], digest: expect.any(String) }])
  expect((await store.get(release.packages[0]!.digest)).equals(bytes)).toBe(true)
  await writeFile(join(directory, 'store/id-1'), 'other')
  expect((await refusal(pack(directory))).code).toBe('infrastructure')
  expect((await refusal(pack({ ...tree, 'config/final.yml': 'name: web\nblobstore: {provider: s3}\n' }))).code).toBe(
    'unsupported',
  )
})

it('refuses a vendored package whose digest fits and whose entries no tarball may hold, and puts nothing', async () => {
  const file = fileEntry('packaging', 'make\n')
  const hostile: [Buffer, string][] = [
    [gunzipSync(await tarGz(file)), 'pack it with tar -z'],
    [await tarGz(file, { type: 'link', path: 'etc', target: '/etc' }), 'leads out'],
    [await tarGz(file, fileEntry('../../evil', 'x')), 'leads out'],
    [await tarGz(file, fileEntry('./packaging', 'rm -rf /\n')), 'twice'],
    [Buffer.from('no archive'), 'pack it with tar -z'],
  ]
  for (const [bytes, why] of hostile) {
    const sha1 = createHash('sha1').update(bytes).digest('hex')
    const directory = await releaseFolder({
      'config/final.yml': 'name: web\nblobstore:\n  provider: local\n  options:\n    blobstore_path: store\n',
      'packages/v/spec.lock': 'name: v\nfingerprint: abc123\n',
      '.final_builds/packages/v/index.yml': `builds:\n  abc123:\n    blobstore_id: id-1\n    sha1: ${sha1}\n`,
    })
    await mkdir(join(directory, 'store'))
    await writeFile(join(directory, 'store/id-1'), bytes)
    const { code, faults } = await refusal(pack(directory))
    expect([code, faults[0]]).toEqual([
      'invalid-input',
      expect.objectContaining({
        file: `${directory}/packages/v (vendored, blob id-1)`,
        message: expect.stringContaining(why),
      }),
    ])
  }
})

it('fetches a blob that is not downloaded, and checks it', async () => {
  const bytes = Buffer.from('test')
  const sha = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const tree = {
    'packages/p/spec': 'name: p\nfiles:\n- b\n',
    'packages/p/packaging': '',
    'config/blobs.yml': `b: {size: 4, object_id: o-1, sha: "${sha}"}\n`,
  }
  const asked: string[] = []
  const fetchBlob = async ({ id }: { id: string }) => {
    asked.push(id)
    return Readable.from([bytes])
  }
  const { release, store } = await pack(tree, { fetchBlob })
  expect(asked).toEqual(['o-1'])
  expect(await contents(await store.get(release.packages[0]!.digest))).toEqual({ b: '644 test', packaging: '755 ' })
  expect((await refusal(pack(tree, { fetchBlob: async () => Readable.from([Buffer.from('tess')]) }))).code).toBe(
    'infrastructure',
  )
})

/** A process that is dead but whose exit was not asked for is dead. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
