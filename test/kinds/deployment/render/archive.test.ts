import { gzipSync } from 'node:zlib'
import { Header } from 'tar'
import { expect, test } from 'vitest'
import { readArchive } from '../../../../kinds/deployment/render/archive.ts'

const entry = (path: string, content: Buffer) => {
  const head = Buffer.alloc(512)
  new Header({ path, type: 'File', size: content.length, mode: 0o640 }).encode(head, 0)
  return Buffer.concat([head, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}
const end = Buffer.alloc(1024)

test('an archive is read by paths without a leading ./, with modes, packed or not', async () => {
  const tar = Buffer.concat([
    entry('./job.MF', Buffer.from('a: 1')),
    entry('templates/x', Buffer.alloc(5000, 'x')),
    end,
  ])
  for (const bytes of [tar, gzipSync(tar)]) {
    const files = await readArchive(bytes)
    expect([...files].map(([path, { content, mode }]) => [path, content.length, mode])).toEqual([
      ['job.MF', 4, 0o640],
      ['templates/x', 5000, 0o640],
    ])
  }
})

test('an archive that unpacks to more than a job may hold is refused, and takes no memory', async () => {
  const bomb = gzipSync(Buffer.concat([entry('templates/x', Buffer.alloc(2 ** 27)), end]))
  const before = process.memoryUsage().rss
  await expect(readArchive(bomb)).rejects.toMatchObject({ code: 'invalid-input' })
  const many = gzipSync(
    Buffer.concat([...Array.from({ length: 10_100 }, (_, n) => entry(`f${n}`, Buffer.alloc(0))), end]),
  )
  await expect(readArchive(many)).rejects.toMatchObject({ code: 'invalid-input' })
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 2 ** 20)
})
