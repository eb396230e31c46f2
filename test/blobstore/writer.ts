import { once } from 'node:events'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'

// A process of its own for the tests: puts, reads and deletes the same few blobs as its siblings do, or puts one large
// blob, or hangs in a put for ever.
const [directory = '', mode = '', rounds = '0'] = process.argv.slice(2)
const store = await DiskBlobstore.open(directory)

if (mode === 'hang') {
  const forever = (async function* () {
    yield Buffer.alloc(100_000, 7)
    process.stdout.write('writing\n')
    await once(process.stdin, 'data')
  })()
  const { Readable } = await import('node:stream')
  await store.put(Readable.from(forever))
} else if (mode === 'large') {
  await store.put(Buffer.alloc(64_000_000, 1))
} else {
  for (let round = 0; round < Number(rounds); round++) {
    const content = Buffer.alloc(200_000 + (round % 3), round % 3)
    const { digest } = await store.put(content)
    try {
      if (!(await store.get(digest)).equals(content)) throw new Error('other bytes')
    } catch (error) {
      // The sibling deleted it in between; anything else is a fault.
      if ((error as { code?: string }).code !== 'not-found') throw error
    }
    if (mode === 'delete' && round % 2 === 0) await store.delete(digest)
  }
}
