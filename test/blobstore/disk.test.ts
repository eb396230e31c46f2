import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { mkdtemp, readdir, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'remodel-blobs-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

function fileOf(store: DiskBlobstore, digest: string): string {
  return join(store.directory, 'sha256', digest.slice(7, 9), digest.slice(9))
}

async function listed(store: DiskBlobstore) {
  const found = []
  for await (const blob of store.list()) found.push(blob)
  return found
}

it('gives back the very bytes that were put, however they were cut, and counts them', async () => {
  const store = await DiskBlobstore.open(await folder())
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 5 }), async (chunks) => {
      const whole = Buffer.concat(chunks)
      const digest = sha256(whole)
      expect(await store.put(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), digest)).toEqual({
        digest,
        size: whole.length,
      })
      expect(await store.put(whole)).toEqual({ digest, size: whole.length })
      expect((await store.get(digest)).equals(whole)).toBe(true)
      expect((await buffer(await store.stream(digest))).equals(whole)).toBe(true)
    }),
    { numRuns: 60 },
  )
  expect(await readdir(join(store.directory, 'temporary'))).toEqual([])
})

it('behaves like a map from digests to bytes under any sequence of calls', async () => {
  const call = fc.record({ what: fc.constantFrom('put', 'delete', 'get', 'has'), blob: fc.nat(3) })
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 25 }), async (calls) => {
      const directory = await mkdtemp(join(tmpdir(), 'remodel-blobs-'))
      try {
        let store = await DiskBlobstore.open(directory)
        const model = new Map<string, Buffer>()
        for (const { what, blob } of calls) {
          const content = Buffer.alloc(blob * 10, blob)
          const digest = sha256(content)
          if (what === 'put') model.set((await store.put(content)).digest, content)
          else if (what === 'delete') {
            await store.delete(digest)
            model.delete(digest)
          } else if (what === 'has') expect(await store.has(digest)).toBe(model.has(digest))
          else if (model.has(digest)) expect((await store.get(digest)).equals(content)).toBe(true)
          else await expect(store.get(digest)).rejects.toMatchObject({ code: 'not-found' })
        }
        store = await DiskBlobstore.open(directory)
        expect((await listed(store)).map(({ digest, size }) => [digest, size]).sort()).toEqual(
          [...model].map(([digest, content]) => [digest, content.length]).sort(),
        )
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    }),
    { numRuns: 40 },
  )
})

it('refuses bytes other than expected, and digests that are none, and leaves nothing', async () => {
  const store = await DiskBlobstore.open(await folder())
  await expect(store.put(Buffer.from('a'), sha256(Buffer.from('b')))).rejects.toMatchObject({ code: 'conflict' })
  await expect(
    store.put(
      Readable.from(
        (async function* () {
          yield Buffer.from('a')
          throw new Error('cut off')
        })(),
      ),
    ),
  ).rejects.toMatchObject({ code: 'infrastructure' })
  for (const digest of ['sha256:../../../etc/passwd', 'abc', `sha256:${'A'.repeat(64)}`, `sha1:${'a'.repeat(40)}`]) {
    await expect(store.get(digest)).rejects.toMatchObject({ code: 'invalid-input' })
    await expect(store.delete(digest)).rejects.toMatchObject({ code: 'invalid-input' })
  }
  expect(await listed(store)).toEqual([])
  expect(await readdir(join(store.directory, 'temporary'))).toEqual([])
})

it('never gives broken bytes as good ones: they fail, go to quarantine, and the next put heals the blob', async () => {
  const store = await DiskBlobstore.open(await folder())
  const content = Buffer.alloc(300_000, 'good')
  const { digest } = await store.put(content)
  for (const harm of [
    () => truncate(fileOf(store, digest), 1000),
    () => writeFile(fileOf(store, digest), Buffer.alloc(300_000, 'evil')),
    () => writeFile(fileOf(store, digest), ''),
  ]) {
    await harm()
    await expect(store.get(digest)).rejects.toMatchObject({ code: 'infrastructure', details: { digest } })
    await expect(store.get(digest)).rejects.toMatchObject({ code: 'not-found' })
    await store.put(content)
    expect((await store.get(digest)).equals(content)).toBe(true)
  }
  expect(await readdir(join(store.directory, 'quarantine'))).toHaveLength(3)
  await truncate(fileOf(store, digest), 5)
  await expect(buffer(await store.stream(digest))).rejects.toMatchObject({ code: 'infrastructure' })
  await store.put(content)
  await truncate(fileOf(store, digest), 5)
  await store.put(content)
  expect((await store.get(digest)).equals(content)).toBe(true)
})

it('reports a blob that was put again as changed now, so that no clean-up deletes it as old', async () => {
  const store = await DiskBlobstore.open(await folder())
  const { digest } = await store.put(Buffer.from('x'))
  await utimes(fileOf(store, digest), 1000, 1000)
  expect((await listed(store))[0]?.changedAt).toBe(1_000_000)
  await store.put(Buffer.from('x'))
  expect((await listed(store))[0]?.changedAt).toBeGreaterThan(Date.now() - 60_000)
})

it('a reader that started before a delete reads to the end', async () => {
  const store = await DiskBlobstore.open(await folder())
  const content = Buffer.alloc(1_000_000, 'x')
  const { digest } = await store.put(content)
  const stream = await store.stream(digest)
  await store.delete(digest)
  expect((await buffer(stream)).equals(content)).toBe(true)
})

it('sweeps what a killed writer left, but only when it is old', { timeout: 20_000 }, async () => {
  const directory = await folder()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), directory, 'hang'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const [left] = await readdir(join(directory, 'temporary'))
  await expect.poll(async () => (await stat(join(directory, 'temporary', left!))).size).toBe(100_000)
  await DiskBlobstore.open(directory)
  expect(await readdir(join(directory, 'temporary'))).toEqual([left])
  child.kill('SIGKILL')
  await once(child, 'exit')
  const store = await DiskBlobstore.open(directory, { leftoverAfterMs: -1 })
  expect(await readdir(join(directory, 'temporary'))).toEqual([])
  expect(await listed(store)).toEqual([])
})

it('a blob is there whole from the first moment that anybody sees it', { timeout: 30_000 }, async () => {
  const directory = await folder()
  const store = await DiskBlobstore.open(directory)
  const path = fileOf(store, sha256(Buffer.alloc(64_000_000, 1)))
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), directory, 'large'], {
    stdio: 'inherit',
  })
  const exit = once(child, 'exit')
  while (!existsSync(path) && child.exitCode === null) await setImmediate()
  expect(statSync(path).size).toBe(64_000_000)
  expect(await exit).toEqual([0, null])
})

it('three processes that put, read and delete the same blobs never see a half one', { timeout: 60_000 }, async () => {
  const directory = await folder()
  const children = ['put', 'delete', 'put'].map((mode) =>
    spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), directory, mode, '150'], { stdio: 'inherit' }),
  )
  const exits = await Promise.all(children.map((child) => once(child, 'exit')))
  expect(exits).toEqual([
    [0, null],
    [0, null],
    [0, null],
  ])
  const store = await DiskBlobstore.open(directory)
  for (const { digest } of await listed(store)) expect(sha256(await store.get(digest))).toBe(digest)
  expect(await readdir(join(directory, 'quarantine'))).toEqual([])
  expect(await readdir(join(directory, 'temporary'))).toEqual([])
})

it('deletes a blob that was not kept since, and spares one that was', async () => {
  const store = await DiskBlobstore.open(await folder())
  const { digest } = await store.put(Buffer.from('kept'))
  const { changedAt, size } = (await store.describe(digest))!
  expect(size).toBe(4)
  expect(await store.deleteUnchanged(digest, changedAt - 1)).toBe(false)
  await sleep(20)
  expect(await store.keep(digest)).toBe(true)
  expect((await store.describe(digest))!.changedAt).toBeGreaterThan(changedAt)
  expect(await store.deleteUnchanged(digest, changedAt)).toBe(false)
  expect(await store.deleteUnchanged(digest, Date.now() + 1000)).toBe(true)
  expect([await store.has(digest), await store.keep(digest), await store.describe(digest)]).toEqual([
    false,
    false,
    null,
  ])
  expect(await store.deleteUnchanged(digest, Date.now())).toBe(false)
})

it('a blob that is kept or put while it is swept is there afterwards', async () => {
  const store = await DiskBlobstore.open(await folder())
  const content = Buffer.from('wanted again')
  const { digest } = await store.put(content)
  let deleted = 0
  for (let round = 0; round < 300; round++) {
    const old = new Date(Date.now() - 10_000)
    await utimes(fileOf(store, digest), old, old)
    const since = Date.now() - 5000
    const sweep = store.deleteUnchanged(digest, since)
    for (let turn = 0; turn < round % 12; turn++) await setImmediate()
    const [kept, , swept] = await Promise.all([
      store.keep(digest),
      round % 2 === 0 ? store.put(content) : undefined,
      sweep,
    ])
    if (swept) deleted++
    if (kept || round % 2 === 0) expect(await store.has(digest)).toBe(true)
    await store.put(content)
  }
  expect(deleted).toBeGreaterThan(0)
})

it('a blob that lies aside while it is swept is there for every reader, and after a crash at that moment', async () => {
  const ask: ((store: DiskBlobstore, digest: string) => Promise<unknown>)[] = [
    (store, digest) => store.has(digest),
    (store, digest) => store.keep(digest),
    (store, digest) => store.describe(digest),
    (store, digest) => store.get(digest),
    async (store) => DiskBlobstore.open(store.directory),
  ]
  const store = await DiskBlobstore.open(await folder())
  // Not one of ours: it holds up no start.
  await writeFile(join(store.directory, 'aside', '.notes'), '')
  for (const [index, one] of ask.entries()) {
    const { digest, size } = await store.put(Buffer.from(`lies aside ${index}`))
    await rename(fileOf(store, digest), join(store.directory, 'aside', `${digest.slice(7)}-of-a-sweep`))
    expect(await one(store, digest)).toBeTruthy()
    expect(statSync(fileOf(store, digest)).size).toBe(size)
    expect(await store.deleteUnchanged(digest, Date.now() + 1000)).toBe(true)
    expect(existsSync(fileOf(store, digest))).toBe(false)
  }
})

it('keeps its files and folders for their owner only', async () => {
  const store = await DiskBlobstore.open(join(await folder(), 'blobs'))
  const { digest } = await store.put(Buffer.from('password: s3cr3t'))
  const file = fileOf(store, digest)
  const modes = [file, join(file, '..'), join(file, '../..')].map((path) => (statSync(path).mode & 0o777).toString(8))
  expect(modes).toEqual(['400', '700', '700'])
})
