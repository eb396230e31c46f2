import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { prepareJob } from '../../../kinds/deployment/render/job.ts'
import { checkRelease } from '../../../shared/release/check.ts'
import { readReleaseTarball } from '../../../shared/release/tarball.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { FieldCase } from '../field-case.ts'

/** What an upload of a folder's tarballs must come to. */

const tarballs = /\.tgz$/
/** What reading a tarball may take of memory beside its own size; a bomb wants gigabytes. */
const mostMemory = 256 * 1024 * 1024

/** Reads a release as its upload does, and prepares its jobs as every plan does. */
async function take(path: string): Promise<void> {
  const archives = new Map<string, Buffer>()
  const release = await readReleaseTarball(path, async (content) => {
    const digest = `sha256:${archives.size}`
    archives.set(digest, await buffer(content as AsyncIterable<Uint8Array>))
    return digest
  })
  checkRelease(release)
  for (const { name, digest, templates } of release.jobs) {
    await prepareJob(release.name, { name, digest, templates }, archives.get(digest)!)
  }
}

/** Every tarball is refused with its place: it would not be understood, or not be carried out. */
export async function refusedTarballs(given: FieldCase): Promise<void> {
  for (const file of await given.files(tarballs)) {
    await given.check(`${file} is refused, with its place and in little memory`, async () => {
      const before = process.memoryUsage().rss
      const error = await take(given.path(file)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      assert.ok(error instanceof RemodelError, error === undefined ? 'it is taken' : String(error))
      assert.equal(error.code, 'invalid-input')
      assert.ok(error.faults.length > 0, `no place: ${error.message}`)
      assert.ok(process.memoryUsage().rss - before < mostMemory, 'it took too much memory')
    })
  }
}

/** Every tarball can be uploaded and planned with. */
export async function takenTarballs(given: FieldCase): Promise<void> {
  for (const file of await given.files(tarballs)) {
    await given.check(`${file} is taken, and can be planned with`, () => take(given.path(file)))
  }
}
