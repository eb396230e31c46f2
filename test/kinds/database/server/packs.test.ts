import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Archives } from '../../../../kinds/database/archive/archives.ts'
import { type Backup, type LogFile, restorableUntil } from '../../../../kinds/database/archive/chain.ts'
import { LogIndex } from '../../../../kinds/database/archive/log-index.ts'
import { decodePack, type Entry, encodePack, merged, nextPack } from '../../../../kinds/database/archive/packs.ts'
import { neededFrom, type Reach, reachOf, untilOf } from '../../../../kinds/database/archive/reach.ts'
import { DiskBlobstore } from '../../../../shared/blobstore/disk.ts'
import { connectRedis } from '../../../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../../../support/redis.ts'

const name = (timeline: number, segment: number) => {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0')
  return hex(timeline) + hex(Math.floor(segment / 256)) + hex(segment % 256)
}
const digest = (n: number) => `sha256:${n.toString(16).padStart(64, '0')}`

let server: TestRedis
let redis: Redis
let home: string
let blobs: DiskBlobstore
beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis({ url: server.url, prefix: 'remodel' }, 'service')
  home = await mkdtemp(join(tmpdir(), 'remodel-packs-'))
  blobs = await DiskBlobstore.open(home)
})
afterAll(async () => {
  redis.disconnect()
  await server.stop()
  await rm(home, { recursive: true, force: true })
})

const entries = fc.uniqueArray(
  fc.record({
    segment: fc.integer({ min: 1, max: 40 }),
    timeline: fc.integer({ min: 1, max: 2 }),
    sealed: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
  }),
  { selector: ({ segment, timeline }) => name(timeline, segment), maxLength: 50 },
)
const entryOf = (one: { segment: number; timeline: number; sealed: number | undefined }): Entry => ({
  file: name(one.timeline, one.segment),
  blob: { digest: digest(one.segment * 2 + one.timeline), bytes: one.segment },
  ...(one.sealed === undefined ? {} : { sealedAt: one.sealed }),
})
const byFile = (all: Map<string, Entry>) => [...all.values()].sort((a, b) => (a.file < b.file ? -1 : 1))

describe('entries of a log', () => {
  test('are the same in whatever order, however often and in how many halves they are said', () => {
    fc.assert(
      fc.property(entries, fc.array(fc.nat(), { maxLength: 30 }), (given, cuts) => {
        const all = given.map(entryOf)
        const halves = all.flatMap(({ file, blob, sealedAt }): Entry[] => [
          { file, ...(blob ? { blob } : {}) },
          ...(sealedAt === undefined ? [] : [{ file, sealedAt }]),
        ])
        const said = [...halves, ...cuts.flatMap((at) => halves[at % Math.max(1, halves.length)] ?? [])]
        const lists = [0, 1, 2].map((list) => said.filter((_, at) => (at * 7 + cuts.length) % 3 === list))
        expect(byFile(merged(lists))).toEqual(byFile(merged([all])))
        expect(byFile(merged(lists.map((list) => decodePack(encodePack(list)))))).toEqual(byFile(merged([all])))
      }),
    )
  })

  test('of one file that two assemblers packed differently are one of the two, for all readers the same', () => {
    const [a, b] = [1, 2].map((n) => ({ file: name(1, 1), blob: { digest: digest(n), bytes: n } }))
    expect(merged([[a!, b!]])).toEqual(merged([[b!], [a!]]))
  })

  test('become a pack once there are enough of them, the oldest ones', () => {
    const open = Array.from({ length: 30 }, (_, at) => entryOf({ segment: 30 - at, timeline: 1, sealed: undefined }))
    expect(nextPack(open, 20, 11)).toBeNull()
    expect(nextPack(open, 20, 10)!.map(({ blob }) => blob!.bytes)).toEqual(
      Array.from({ length: 20 }, (_, at) => at + 1),
    )
  })
})

const backupAt = (segment: number, stop: number): Backup => ({
  id: `n1-${segment}`,
  node: 'n1',
  line: 'a',
  database: 'shop',
  startedAt: 0,
  finishedAt: 10,
  start: name(1, segment),
  stop: `0/${(stop * 0x1000000).toString(16).toUpperCase()}`,
  nextXid: '1',
  label: '',
  directories: digest(0),
  parts: [],
  dataBytes: 0,
  bytes: 0,
})

describe('how far a backup reaches', () => {
  test('is the same whether the log is read as a whole or goes on from what was kept, over a change of the timeline too', () => {
    const history = fc.option(fc.integer({ min: 2, max: 40 }), { nil: null })
    fc.assert(
      fc.property(
        entries,
        fc.integer({ min: 1, max: 10 }),
        fc.array(fc.nat(45), { maxLength: 6 }),
        history,
        (given, start, stops, left) => {
          const files = new Map(
            given
              .map(entryOf)
              .map(({ file, blob, sealedAt }): [string, LogFile] => [
                file,
                { ...blob!, ...(sealedAt === undefined ? {} : { sealedAt }) },
              ]),
          )
          const histories = (known: boolean) =>
            known && left !== null
              ? new Map([[2, `1\t0/${(left * 0x1000000).toString(16)}\tfailover\n`]])
              : new Map<number, string>()
          const backup = backupAt(start, start + 1)
          let kept: Reach | undefined
          for (const [round, to] of [...stops].sort((a, b) => a - b).entries()) {
            const known = histories(round > 1)
            const from = neededFrom(backup, kept, { histories: known })!
            const some = new Map([...files].filter(([file]) => Number.parseInt(file.slice(16), 16) >= from))
            kept = reachOf(backup, kept, { files: some, histories: known }, to)
          }
          const whole = { files, histories: histories(true) }
          const from = neededFrom(backup, kept, whole)!
          const rest = {
            ...whole,
            files: new Map([...files].filter(([file]) => Number.parseInt(file.slice(16), 16) >= from)),
          }
          expect(untilOf(backup, reachOf(backup, kept, rest))).toBe(restorableUntil(backup, whole))
        },
      ),
    )
  })
})

/** As many files as make some packs. */
async function fill(of: { deployment: string; node: string; line: string }, count: number): Promise<void> {
  const key = (what: string) => `remodel:{${of.deployment}}:archive:${what}:${of.node}/${of.line}`
  for (let at = 1; at <= count; at += 1000) {
    const pipeline = redis.pipeline()
    for (let segment = at; segment < Math.min(at + 1000, count + 1); segment++) {
      pipeline.hset(key('log'), name(1, segment), JSON.stringify({ digest: digest(segment), bytes: 1 }))
      if (segment % 2 === 0) pipeline.hset(key('sealed'), name(1, segment), segment * 1000)
    }
    await pipeline.exec()
  }
}

describe('the index of a log', () => {
  test('that was all in Redis is taken over: afterwards Redis holds little of it, and it says the same', async () => {
    const of = { deployment: 'old', node: 'n1', line: 'a' }
    const index = new LogIndex(redis, 'remodel', blobs)
    await fill(of, 10_000)
    await index.add(of, '00000002.history', { text: '1\t0/5000000\tx\n' })
    const before = await index.log(of)
    expect(before.files.size).toBe(10_000)
    expect(await index.pack(of)).toBe(6)
    expect(await redis.hlen('remodel:{old}:archive:log:n1/a')).toBeLessThan(1600)
    expect(await redis.hlen('remodel:{old}:archive:sealed:n1/a')).toBeLessThan(800)
    const after = await new LogIndex(redis, 'remodel', blobs).log(of)
    expect([...after.files].sort()).toEqual([...before.files].sort())
    expect(after.histories).toEqual(before.histories)
    expect(await index.lacking(of, [name(1, 3), name(1, 9_999), name(1, 10_001)])).toEqual([name(1, 10_001)])
    await index.forgetBefore(of, 2000)
    const left = await index.log(of)
    expect([...left.files.keys()].sort()).toEqual(
      [...before.files.keys()].filter((file) => file >= name(1, 2000)).sort(),
    )
    await index.forget(of)
    expect(await redis.keys('remodel:{old}:archive:*:n1/a')).toEqual([])
  })

  test('loses nothing where several pack, add and seal at once', async () => {
    for (let round = 0; round < 4; round++) {
      const of = { deployment: `busy${round}`, node: 'n1', line: 'a' }
      await fill(of, 3000)
      const indexes = Array.from({ length: 3 }, () => new LogIndex(redis, 'remodel', blobs))
      const sealed = new Map<string, number>()
      await Promise.all([
        ...indexes.map((index) => index.pack(of)),
        (async () => {
          for (let segment = 1; segment <= 3000; segment += 20) {
            sealed.set(name(1, segment), segment)
            await indexes[0]!.seal(of, name(1, segment), segment)
            await indexes[1]!.add(of, name(1, 3001 + segment), { digest: digest(segment), bytes: 1 })
          }
        })(),
      ])
      const { files } = await new LogIndex(redis, 'remodel', blobs).log(of)
      for (let segment = 1; segment <= 3000; segment++) {
        const file = name(1, segment)
        expect(files.get(file), file).toMatchObject({ digest: digest(segment) })
        const at = segment % 2 === 0 ? segment * 1000 : sealed.get(file)
        expect(files.get(file)!.sealedAt, file).toBe(at)
      }
      expect(files.size).toBe(3000 + sealed.size)
    }
  })

  test.each(['archive.pack-put', 'archive.packed'])(
    'is whole where an assembler dies at %s, and is packed on',
    async (point) => {
      const of = { deployment: point, node: 'n1', line: 'a' }
      await fill(of, 4000)
      const index = new LogIndex(redis, 'remodel', blobs)
      const before = [...(await index.log(of)).files].sort()
      const argv = [new URL('./packer.ts', import.meta.url).pathname, server.url, home, point]
      const died = await execa(process.execPath, argv, { env: { REMODEL_FAILPOINTS: `${point}=kill` }, reject: false })
      expect(died.signal).toBe('SIGKILL')
      expect([...(await index.log(of)).files].sort()).toEqual(before)
      await index.pack(of)
      expect([...(await new LogIndex(redis, 'remodel', blobs).log(of)).files].sort()).toEqual(before)
      expect(await redis.hlen(`remodel:{${point}}:archive:packs:n1/a`)).toBe(2)
    },
  )

  test('is not read for a plan: how far backups reach is kept, and only what is open is looked at', async () => {
    const of = { deployment: 'shop', node: 'n1', line: 'a' }
    await fill(of, 8000)
    const archives = new Archives(redis, { url: server.url, prefix: 'remodel' }, blobs)
    await archives.beginLine('shop', { ...of, since: 1 })
    for (const start of [1, 2000, 7990])
      await archives.addBackup('shop', { ...backupAt(start, start + 1), stop: '0/2000000', finishedAt: start })
    const before = await archives.summaries('shop')
    await archives.pack(of)
    const blind: string[] = []
    const watched = Object.assign(Object.create(blobs), {
      get: (one: string) => {
        blind.push(one)
        return blobs.get(one)
      },
    })
    const reader = new Archives(redis, { url: server.url, prefix: 'remodel' }, watched)
    expect(await reader.summaries('shop')).toEqual(before)
    expect(before.map(({ until }) => until)).toEqual([8_000_000, 8_000_000, 8_000_000])
    expect(before.map(({ logBytes }) => logBytes)).toEqual([1999, 5990, 11])
    expect(blind).toEqual([])
    const named = new Set(await reader.digests('shop'))
    for (const text of await redis.hkeys('remodel:{shop}:archive:packs:n1/a')) expect(named.has(text)).toBe(true)
    expect(named.has(digest(1)) && named.has(digest(8000))).toBe(true)
    await archives.prune('shop', 'n1', 'a', 1)
    expect((await archives.summaries('shop')).map(({ id, until }) => [id, until])).toEqual([['n1-7990', 8_000_000]])
    await archives.forget('shop')
    expect(await redis.keys('remodel:{shop}:archive*')).toEqual([])
  })

  test('of a node goes with its newest backups also where the older ones bear the name that it had before', async () => {
    const archives = new Archives(redis, { url: server.url, prefix: 'remodel' }, blobs)
    for (const node of ['n2', 'n5', 'n1']) {
      await fill({ deployment: 'renamed', node, line: node === 'n1' ? 'b' : 'a' }, 10)
      await archives.beginLine('renamed', { node, line: node === 'n1' ? 'b' : 'a', since: 1 })
    }
    const backup = (node: string, line: string, at: number) => ({
      ...backupAt(at, at + 1),
      id: `${node}-${at}`,
      node,
      line,
      finishedAt: at,
    })
    for (const one of [backup('n2', 'a', 1), backup('n1', 'b', 2), backup('n5', 'a', 3), backup('n5', 'a', 4)])
      await archives.addBackup('renamed', one)
    const left = async () => (await archives.summaries('renamed')).map(({ id }) => id).sort()
    await archives.prune('renamed', 'n5', 'a', 3)
    expect(await left()).toEqual(['n1-2', 'n2-1', 'n5-3', 'n5-4'])
    await archives.prune('renamed', 'n5', 'a', 2)
    expect(await left()).toEqual(['n1-2', 'n5-3', 'n5-4'])
    expect((await archives.lines('renamed')).map(({ node, line }) => `${node}/${line}`).sort()).toEqual([
      'n1/b',
      'n5/a',
    ])
    await archives.forget('renamed')
  })

  test('ends at a gap for good once later files are packed, and does not look for it again', async () => {
    const of = { deployment: 'gap', node: 'n1', line: 'a' }
    await fill(of, 4000)
    await redis.hdel('remodel:{gap}:archive:log:n1/a', name(1, 100))
    const archives = new Archives(redis, { url: server.url, prefix: 'remodel' }, blobs)
    await archives.addBackup('gap', { ...backupAt(1, 2), stop: '0/2000000' })
    await archives.pack(of)
    const kept = JSON.parse((await redis.hget('remodel:{gap}:archive:reach', 'n1-1'))!) as Reach
    expect(kept).toMatchObject({ last: name(1, 99), sealedAt: 98_000, ended: true })
    expect((await archives.summaries('gap'))[0]!.until).toBe(98_000)
  })
})
