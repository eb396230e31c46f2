import { randomFillSync } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { uploadRelease } from '../cli/upload.ts'
import { writeReleases } from './compile/graph.ts'
import { openWorkshop, type Workshop } from './compile/workshop.ts'
import { type Figure, noted } from './figure.ts'
import { heldBy } from './process.ts'

const bench = 'big-package'
/** As large as the largest of cf-deployment's, of bytes that no compression makes fewer. */
const megabytes = 1200
const against = `one package of ${megabytes} MB of random bytes, which its script copies`

/**
 * How long a package of more than a gigabyte takes through all of Remodel, and how much memory its processes ever had.
 */
export async function run(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'remodel-bench-'))
  try {
    const release = await written(folder)
    const tarball = join(folder, 'compiled.tgz')
    const first = await inWorkshop(async (shop) => [
      await timed('upload of a directory', () => uploadRelease(release, shop.client)),
      await timed('deploy that compiles it', () => deployed(shop, release)),
      await timed('export', () => exported(shop, tarball)),
    ])
    const second = await inWorkshop(async (shop) => [
      await timed('upload of the exported tarball', () => uploadRelease(tarball, shop.client)),
      await timed('deploy of what was exported', () => deployed(shop, tarball)),
    ])
    return [...first, ...second]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function written(folder: string): Promise<string> {
  const packages = { big: { deps: [], seconds: 0, content: 'big' } }
  const [release] = await writeReleases(folder, { big: { packages, jobs: { big: ['big'] } } })
  if (release === undefined) throw new Error('no release was written')
  await mkdir(join(release, 'src', 'big'), { recursive: true })
  await writeFile(
    join(release, 'packages/big/spec'),
    JSON.stringify({ name: 'big', dependencies: [], files: ['big/*'] }),
  )
  await writeFile(join(release, 'packages/big/packaging'), 'cp -r big "$BOSH_INSTALL_TARGET/"\n')
  const bytes = Readable.from(
    (function* () {
      for (let written = 0; written < megabytes; written++) yield randomFillSync(Buffer.alloc(1_000_000))
    })(),
  )
  await pipeline(bytes, createWriteStream(join(release, 'src/big/bytes')))
  return release
}

async function deployed(shop: Workshop, path: string): Promise<void> {
  await shop.deployRelease('big', { path, jobs: ['big'], stemcell: '1' })
}

async function exported({ client }: Workshop, file: string): Promise<void> {
  const version = (await client.releases()).find(({ name }) => name === 'big')?.version
  const { content } = await client.exportRelease('big', version ?? '', 'local/1', [])
  await pipeline(content, createWriteStream(file))
  if ((await stat(file)).size < megabytes * 1_000_000) throw new Error('the export is too small')
}

async function inWorkshop(work: (shop: Workshop) => Promise<Figure[]>): Promise<Figure[]> {
  const shop = await openWorkshop(1)
  try {
    const times = await work(shop)
    const kinds = shop.stack.services.map(async ({ name, process }) => {
      const { peakMb } = await heldBy(process.pid!)
      return noted({ bench, case: `most memory of the ${name} until then`, value: peakMb, unit: 'MB', against })
    })
    return [...times, ...(await Promise.all(kinds))]
  } finally {
    await shop.stop()
  }
}

async function timed(what: string, work: () => Promise<unknown>): Promise<Figure> {
  const began = performance.now()
  await work()
  return noted({ bench, case: what, value: (performance.now() - began) / 1000, unit: 's', against })
}
