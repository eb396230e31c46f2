import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { fileEntry, tarGz, temporaryFolder } from './release/fixture.ts'

const root = resolve(import.meta.dirname, '..')

/** What a process may hold: parts of a tarball, a spool, the bytes of a blob that arrive, a folder of its own. */
const program = (more: string) => `
import { Readable } from 'node:stream'
import { DiskBlobstore } from '${root}/shared/blobstore/disk.ts'
import { spool } from '${root}/shared/blobstore/spool.ts'
import { readReleaseTarball } from '${root}/shared/release/tarball.ts'
import { temporaryFolder } from '${root}/shared/runtime/temporary.ts'
const stalled = () => Readable.from((async function* () { yield Buffer.from('x'); await new Promise(() => {}) })())
const store = await DiskBlobstore.open(process.env.STORE)
${more}
await temporaryFolder('own')
store.put(stalled())
spool(stalled())
readReleaseTarball(process.env.TARBALL, () => new Promise(() => {}))
setInterval(() => {}, 1000)
`

async function leave(more: string, ...how: NodeJS.Signals[]) {
  const folder = await temporaryFolder()
  const [tmp, store, tarball] = ['tmp', 'store', 'release.tgz'].map((name) => join(folder, name))
  await mkdir(tmp!)
  const pack = await tarGz(fileEntry('packaging', 'make'))
  const part = `- { name: p, version: "1", fingerprint: "1", sha1: ${createHash('sha1').update(pack).digest('hex')} }`
  const manifest = fileEntry('release.MF', `name: a\nversion: 1\npackages:\n${part}\n`)
  await writeFile(tarball!, await tarGz(manifest, fileEntry('packages/p.tgz', pack)))
  await writeFile(join(folder, 'program.ts'), program(more))
  const env = { ...process.env, TMPDIR: tmp, STORE: store, TARBALL: tarball }
  const child = spawn(process.execPath, [join(folder, 'program.ts')], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(child, 'exit')
  const files = async () =>
    (await Promise.all([tmp!, `${store}/temporary`].map((path) => readdir(path).catch(() => [])))).flat()
  await expect.poll(async () => (await files()).length, { timeout: 60_000 }).toBe(4)
  for (const signal of how) child.kill(signal)
  const [code, signal] = await ended
  return { code, signal, left: await files() }
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  'a process that %s ends leaves no temporary file, and ends by it',
  async (signal) => {
    expect(await leave('', signal)).toEqual({ code: null, signal, left: [] })
  },
  90_000,
)

test('a service that leaves at once leaves no temporary file either', async () => {
  expect(await leave("process.on('SIGTERM', () => process.exit(1))", 'SIGTERM')).toEqual({
    code: 1,
    signal: null,
    left: [],
  })
}, 90_000)
