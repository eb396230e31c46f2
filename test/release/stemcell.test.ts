import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { readStemcell } from '../../shared/release/stemcell.ts'
import { fileEntry, refusal, tarGz, temporaryFolder, writeTree } from './fixture.ts'

const image = Buffer.from('the root file system '.repeat(1000))
const manifest = (bytes: Buffer) => `name: bosh-warden-ubuntu-jammy
version: '621.10'
operating_system: ubuntu-jammy
sha1: ${createHash('sha1').update(bytes).digest('hex')}
stemcell_formats: [warden-tar]
cloud_properties:
  infrastructure: warden
`
const facts = { name: 'bosh-warden-ubuntu-jammy', os: 'ubuntu-jammy', version: '621.10' }

async function tarball(...content: Parameters<typeof tarGz>): Promise<string> {
  const path = join(await temporaryFolder(), 'stemcell.tgz')
  await writeFile(path, await tarGz(...content))
  return path
}

it('reads a folder and a tarball alike, image and all', async () => {
  const folder = await writeTree(await temporaryFolder(), { 'stemcell.MF': manifest(image), image: image.toString() })
  const packed = await tarball(
    fileEntry('stemcell.MF', manifest(image)),
    fileEntry('image', image),
    fileEntry('packages.txt', ''),
  )
  for (const path of [folder, packed]) {
    const read = await readStemcell(path)
    expect(read).toMatchObject({ stemcell: facts, cloudProperties: { infrastructure: 'warden' } })
    expect((await buffer(read.openImage!())).equals(image)).toBe(true)
  }
})

it('a light stemcell has no image', async () => {
  const empty = Buffer.alloc(0)
  const path = await tarball(fileEntry('stemcell.MF', manifest(empty)), fileEntry('image', empty))
  expect(await readStemcell(path)).toEqual({ stemcell: facts, cloudProperties: { infrastructure: 'warden' } })
})

it('an image with other bytes than the manifest says fails at its end', async () => {
  const { openImage } = await readStemcell(
    await tarball(fileEntry('stemcell.MF', manifest(Buffer.from('other'))), fileEntry('image', image)),
  )
  expect((await refusal(buffer(openImage!()))).code).toBe('infrastructure')
})

it('says what is wrong, with the line', async () => {
  const path = await tarball(fileEntry('stemcell.MF', 'name: s\nversion: {}\n'), fileEntry('image', image))
  expect((await refusal(readStemcell(path))).faults).toEqual([
    expect.objectContaining({ file: `${path}:stemcell.MF`, line: 2, path: 'version' }),
    expect.objectContaining({ path: 'operating_system', message: 'is missing' }),
  ])
  const none = await tarball(fileEntry('image', image))
  expect((await refusal(readStemcell(none))).faults).toEqual([
    expect.objectContaining({ file: none, path: 'stemcell.MF' }),
  ])
  expect((await refusal(readStemcell('/nowhere'))).code).toBe('invalid-input')
})
