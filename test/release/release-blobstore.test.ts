import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { checked } from '../../shared/release/release-blobstore.ts'

const blob = { id: 'id-1', sha: `sha256:${'0'.repeat(64)}`, what: 'packages/v' }

it('reports wrong bytes to their reader, however late that is', async () => {
  const stream = checked(Readable.from([Buffer.from('other')]), blob)
  await sleep(20)
  await expect(stream.toArray()).rejects.toMatchObject({ code: 'infrastructure', details: { blob } })
})

it('keeps the error of a source that fails before anybody reads', async () => {
  const source = new Readable({ read() {} })
  const stream = checked(source, blob)
  source.destroy(new Error('the disk is gone'))
  await sleep(20)
  await expect(stream.toArray()).rejects.toThrow('the disk is gone')
})
