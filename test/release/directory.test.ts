import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readReleaseDirectory } from '../../shared/release/directory.ts'
import { refusal, releaseFolder, temporaryFolder, writeTree } from './fixture.ts'

const sound = {
  'packages/zlib/spec': 'name: zlib\nfiles:\n- zlib/*.c\n',
  'packages/zlib/packaging': 'make\n',
  'src/zlib/a.c': 'int a;\n',
  'jobs/web/spec': 'name: web\ntemplates:\n  ctl.erb: bin/ctl\npackages:\n- zlib\n',
  'jobs/web/monit': '',
  'jobs/web/templates/ctl.erb': '#!/bin/bash\n',
}

it('reads name, version, packages and jobs; the version follows the content', async () => {
  const directory = await releaseFolder(sound)
  const release = await readReleaseDirectory(directory)
  expect(release).toMatchObject({ name: 'web', warnings: [] })
  expect(release.version).toMatch(/^dev\+[0-9a-f]{12}$/)
  expect(release.packages.map((pack) => [pack.name, pack.files.map((file) => file.path)])).toEqual([
    ['zlib', ['packaging', 'zlib/a.c']],
  ])
  expect(release.jobs[0]).toMatchObject({ name: 'web', packages: ['zlib'], templates: { 'ctl.erb': 'bin/ctl' } })
  expect((await readReleaseDirectory(directory)).version).toBe(release.version)
  await appendFile(join(directory, 'jobs/web/monit'), '# changed\n')
  expect((await readReleaseDirectory(directory)).version).not.toBe(release.version)
  expect(await readReleaseDirectory(directory, { name: 'other', version: '1.2' })).toMatchObject({
    name: 'other',
    version: '1.2',
  })
})

it('tells every fault of every file at once, each with file, line, path, what was found and the nearest name', async () => {
  const directory = await releaseFolder({
    ...sound,
    'packages/zlib/spec': 'name: zlib\nfiles:\n- zlib/*.c\n- none/**/*\n- ../../etc/*\n- a[\n',
    'packages/curl/spec': 'name: curl\ndependencies:\n- zlb\n',
    'packages/curl/packaging': '',
    'packages/bare/spec': 'name: bare\n',
    'jobs/web/spec': 'name: web\ntemplates:\n  ctl.erb: bin/ctl\n  clt.erb: bin/other\npackages:\n- zlib\n- crl\n',
    'jobs/api/spec': 'name: apo\ntemplates: 3\n',
  })
  const { code, faults } = await refusal(readReleaseDirectory(directory))
  expect(code).toBe('invalid-input')
  const seen = faults.map(({ file = '', line, path, found, suggestion }) => ({
    at: `${file.slice(directory.length + 1)}:${line}`,
    path,
    found,
    suggestion,
  }))
  expect(seen).toEqual([
    { at: 'jobs/api/spec:2', path: 'templates', found: '3', suggestion: undefined },
    { at: 'jobs/web/spec:4', path: 'templates.clt.erb', found: 'clt.erb', suggestion: 'ctl.erb' },
    { at: 'packages/bare/spec:1', path: '', found: undefined, suggestion: undefined },
    { at: 'packages/curl/spec:3', path: 'dependencies[0]', found: 'zlb', suggestion: 'zlib' },
    { at: 'packages/zlib/spec:4', path: 'files[1]', found: 'none/**/*', suggestion: undefined },
    { at: 'packages/zlib/spec:5', path: 'files[2]', found: '../../etc/*', suggestion: undefined },
    { at: 'packages/zlib/spec:6', path: 'files[3]', found: 'a[', suggestion: undefined },
  ])
})

it('names the package that a job means, and the ones there are', async () => {
  const directory = await releaseFolder({ ...sound, 'jobs/web/spec': 'name: web\ntemplates: {}\npackages:\n- zlip\n' })
  const { faults } = await refusal(readReleaseDirectory(directory))
  expect(faults).toEqual([
    expect.objectContaining({
      file: join(directory, 'jobs/web/spec'),
      line: 4,
      column: 3,
      path: 'packages[0]',
      found: 'zlip',
      allowed: 'zlib',
      suggestion: 'zlib',
    }),
  ])
})

it('names every circle of packages, at the line that closes it', async () => {
  const pack = (name: string, needs: string) => ({
    [`packages/${name}/spec`]: `name: ${name}\ndependencies:\n- ${needs}\n`,
    [`packages/${name}/packaging`]: '',
  })
  const directory = await releaseFolder({
    ...pack('a', 'b'),
    ...pack('b', 'c'),
    ...pack('c', 'a'),
    ...pack('d', 'a'),
    ...pack('e', 'e'),
  })
  const { faults } = await refusal(readReleaseDirectory(directory))
  expect(faults.map((fault) => [fault.file?.slice(directory.length + 1), fault.line, fault.message])).toEqual([
    ['packages/c/spec', 3, 'packages need each other in a circle: a -> b -> c -> a'],
    ['packages/e/spec', 3, 'packages need each other in a circle: e -> e'],
  ])
  expect((await readReleaseDirectory(directory, { cycles: 'keep' })).packages).toHaveLength(5)
})

it('warns of a key that is nearly a known one, since BOSH reads over it in silence', async () => {
  const directory = await releaseFolder({
    ...sound,
    'packages/zlib/spec': 'name: zlib\ndependancies:\n- gone\nfiles:\n- zlib/*.c\n',
  })
  const { warnings } = await readReleaseDirectory(directory)
  expect(warnings).toEqual([expect.objectContaining({ line: 2, path: 'dependancies', suggestion: 'dependencies' })])
})

it('knows the fingerprint of a blob that is not downloaded by its listed digest, and needs that digest', async () => {
  const sha = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
  const tree = { 'packages/p/spec': 'name: p\nfiles:\n- big.tgz\n', 'packages/p/packaging': '' }
  const index = (digest: string) => ({
    'config/blobs.yml': `big.tgz:\n  size: 4\n  object_id: 1-2\n  sha: ${digest}\n`,
  })
  const here = await readReleaseDirectory(
    await releaseFolder({ ...tree, ...index(`sha256:${sha}`), 'blobs/big.tgz': 'test' }),
  )
  const away = await readReleaseDirectory(await releaseFolder({ ...tree, ...index(`sha256:${sha}`) }))
  expect(away.packages[0]?.fingerprint).toBe(here.packages[0]?.fingerprint)
  const unknown = await refusal(
    readReleaseDirectory(await releaseFolder({ ...tree, ...index('a94a8fe5ccb19ba61c4c0873d391e987982fbbd3') })),
  )
  expect(unknown.faults).toEqual([
    expect.objectContaining({ path: 'big.tgz', message: expect.stringContaining('not downloaded') }),
  ])
  const other = await refusal(
    readReleaseDirectory(await releaseFolder({ ...tree, ...index(`sha256:${sha}`), 'blobs/big.tgz': 'tess' })),
  )
  expect(other.faults).toEqual([expect.objectContaining({ path: 'big.tgz', allowed: sha })])
})

it('reads defaults of properties as YAML 1.1, as the director does, and keeps dates as text', async () => {
  const spec =
    'name: web\ntemplates: {}\nproperties:\n  a.b: {default: yes, description: d}\n  c: {default: 0755}\n  d:\n  e: {default: 2020-01-02}\n'
  const { jobs } = await readReleaseDirectory(await releaseFolder({ 'jobs/web/spec': spec }))
  expect(jobs[0]?.properties).toEqual({
    'a.b': { default: true, description: 'd' },
    c: { default: 493 },
    d: {},
    e: { default: '2020-01-02' },
  })
})

it('says what is missing of a folder that is no release', async () => {
  const folder = await temporaryFolder()
  expect((await refusal(readReleaseDirectory(folder))).faults).toEqual([
    { file: join(folder, 'config/final.yml'), message: expect.any(String) },
  ])
  expect((await refusal(readReleaseDirectory(join(folder, 'none')))).faults).toEqual([
    { file: join(folder, 'none'), message: 'is not a directory' },
  ])
})

it('takes a release without a src folder, which git does not keep empty, with the digests of one that has it', async () => {
  const tree = {
    'config/final.yml': 'name: web\n',
    'packages/words/spec': 'name: words\nfiles: []\n',
    'packages/words/packaging': 'echo word > "$BOSH_INSTALL_TARGET/word"\n',
  }
  const [without, withSrc] = [await writeTree(await temporaryFolder(), tree), await releaseFolder(tree)]
  const release = await readReleaseDirectory(without)
  expect(release.packages[0]!.files.map(({ path }) => path)).toEqual(['packaging'])
  expect(release.packages[0]!.fingerprint).toBe((await readReleaseDirectory(withSrc)).packages[0]!.fingerprint)
})
