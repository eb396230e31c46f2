import type { Redis } from 'ioredis'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import { baseKey } from '../../../shared/ledger/keys.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { type ArchivedLog, type LogFile, segmentOf, timelineOf } from './chain.ts'
import { decodePack, type Entry, encodePack, merged, nextPack, PackSummary, summaryOf } from './packs.ts'

/** A line of a node of a deployment. */
export interface LineName {
  deployment: string
  node: string
  line: string
}

/** How many packs are kept in memory: those that are read again and again. */
const packsInMemory = 8

/**
 * What is archived of a line's log: which file is which blob. Redis holds what is open, and which packs there are;
 * the packs are blobs (`packs.ts`). Entries never change, so what was said twice, or is open and packed at once, is
 * the same as said once.
 *
 * | key below `<prefix>:{<deployment>}:archive` | type | what |
 * |---|---|---|
 * | `:log:<node>/<line>` | hash | open: file of the log -> digest and size; `.history` file -> its text, never packed |
 * | `:sealed:<node>/<line>` | hash | open: file of the log -> until when it holds every commit |
 * | `:packs:<node>/<line>` | hash | digest of a pack -> which part of the log it has |
 */
export class LogIndex {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #blobs: Blobstore
  readonly #decoded = new Map<string, Entry[]>()

  constructor(redis: Redis, prefix: string, blobs: Blobstore) {
    this.#redis = redis
    this.#prefix = prefix
    this.#blobs = blobs
  }

  #key({ deployment, node, line }: LineName, what: 'log' | 'sealed' | 'packs'): string {
    return `${baseKey(this.#prefix, deployment)}:archive:${what}:${node}/${line}`
  }

  async add(of: LineName, file: string, what: LogFile | { text: string }): Promise<void> {
    await this.#redis.hset(this.#key(of, 'log'), file, JSON.stringify(what))
  }

  async seal(of: LineName, file: string, at: number): Promise<void> {
    await this.#redis.hset(this.#key(of, 'sealed'), file, at)
  }

  /** Which of these files the archive does not have. */
  async lacking(of: LineName, files: readonly string[]): Promise<string[]> {
    if (files.length === 0) return []
    const known = await this.#redis.hmget(this.#key(of, 'log'), ...files)
    const missing = files.filter((_, index) => known[index] === null)
    if (missing.length === 0) return []
    const packed = new Map<string, Entry>()
    const places = missing.map(segmentOf)
    for (const pack of await this.#packs(of)) {
      if (!places.some((place) => pack.from <= place && place <= pack.to)) continue
      for (const entry of await this.#read(pack.digest)) if (entry.blob) packed.set(entry.file, entry)
    }
    return missing.filter((file) => !packed.has(file))
  }

  /** The log from a segment on; only the open part of it is read where the packs end before that. */
  async log(of: LineName, from = 0): Promise<ArchivedLog> {
    // Open first: what is packed meanwhile is in the packs by the time they are listed.
    const { entries, histories } = await this.#open(of)
    const packs = (await this.#packs(of)).filter(({ to }) => to >= from)
    const lists = [entries]
    for (const { digest } of packs) lists.push(await this.#read(digest))
    const files = new Map<string, LogFile>()
    for (const { file, blob, sealedAt } of merged(lists).values()) {
      if (blob && segmentOf(file) >= from) files.set(file, { ...blob, ...(sealedAt === undefined ? {} : { sealedAt }) })
    }
    return { files, histories }
  }

  /** Only the timelines: they are few, and in Redis. */
  async histories(of: LineName): Promise<ArchivedLog['histories']> {
    return (await this.#open(of)).histories
  }

  /** The last segment that is packed; -1: none is. */
  async packedTo(of: LineName): Promise<number> {
    return (await this.#packs(of)).reduce((last, { to }) => Math.max(last, to), -1)
  }

  /**
   * Packs the oldest open entries where there are enough of them. Any number of assemblers may do it at once: an entry
   * leaves Redis only as it was packed, in the same step as its pack enters.
   *
   * @param before is called with the last segment of what is about to be packed.
   */
  async pack(of: LineName, before: (to: number) => Promise<void> = async () => {}): Promise<number> {
    const keys = [this.#key(of, 'log'), this.#key(of, 'sealed'), this.#key(of, 'packs')]
    let packed = 0
    if ((await this.#redis.hlen(keys[0]!)) === 0) return packed
    let open = (await this.#open(of)).entries
    for (let entries = nextPack(open); entries; entries = nextPack(open)) {
      const { digest } = await this.#blobs.put(encodePack(entries))
      await failpoint('archive.pack-put')
      const summary = summaryOf(digest, entries)
      await before(summary.to)
      const words = entries.flatMap(({ file, blob, sealedAt }) => [
        file,
        blob ? JSON.stringify(blob) : '',
        sealedAt === undefined ? '' : String(sealedAt),
      ])
      await this.#redis.eval(packScript, keys.length, ...keys, digest, JSON.stringify(summary), ...words)
      await failpoint('archive.packed')
      const gone = new Set(entries.map(({ file }) => file))
      open = open.filter(({ file }) => !gone.has(file))
      packed += 1
    }
    return packed
  }

  /** Forgets the files of the log before a place, through all timelines. */
  async forgetBefore(of: LineName, segment: number): Promise<void> {
    const old = (await this.#open(of)).entries.map(({ file }) => file).filter((file) => segmentOf(file) < segment)
    for (let at = 0; at < old.length; at += 1000) {
      const some = old.slice(at, at + 1000)
      await this.#redis
        .multi()
        .hdel(this.#key(of, 'sealed'), ...some)
        .hdel(this.#key(of, 'log'), ...some)
        .exec()
    }
    for (const { digest, from, to } of await this.#packs(of)) {
      if (from >= segment) continue
      const left = to < segment ? [] : (await this.#read(digest)).filter(({ file }) => segmentOf(file) >= segment)
      const swap = this.#redis.multi().hdel(this.#key(of, 'packs'), digest)
      if (left.length > 0) {
        const put = await this.#blobs.put(encodePack(left))
        swap.hset(this.#key(of, 'packs'), put.digest, JSON.stringify(summaryOf(put.digest, left)))
      }
      await swap.exec()
    }
  }

  async forget(of: LineName): Promise<void> {
    await this.#redis.del(this.#key(of, 'log'), this.#key(of, 'sealed'), this.#key(of, 'packs'))
  }

  /** Every blob that the index names, the packs too. */
  async digests(of: LineName): Promise<string[]> {
    // Packs are listed behind the open entries, so that none that is being packed is missed.
    const { files } = await this.log(of)
    const packs = await this.#packs(of)
    return [...packs.map(({ digest }) => digest), ...[...files.values()].map(({ digest }) => digest)]
  }

  async #packs(of: LineName): Promise<PackSummary[]> {
    const all = await this.#redis.hvals(this.#key(of, 'packs'))
    return all.map((text) => PackSummary.parse(JSON.parse(text))).sort((a, b) => a.from - b.from)
  }

  async #open(of: LineName): Promise<{ entries: Entry[]; histories: Map<number, string> }> {
    const [log, sealed] = await Promise.all([this.#all(this.#key(of, 'log')), this.#all(this.#key(of, 'sealed'))])
    const histories = new Map<number, string>()
    const entries: Entry[] = [...sealed].map(([file, at]) => ({ file, sealedAt: Number(at) }))
    for (const [file, text] of log) {
      const what = JSON.parse(text) as LogFile | { text: string }
      if ('text' in what) histories.set(timelineOf(file), what.text)
      else entries.push({ file, blob: { digest: what.digest, bytes: what.bytes } })
    }
    return { entries: [...merged([entries]).values()], histories }
  }

  /** In slices: an index from before there were packs may be long. */
  async #all(key: string): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for await (const chunk of this.#redis.hscanStream(key, { count: 1000 })) {
      const words = chunk as string[]
      for (let at = 0; at + 1 < words.length; at += 2) found.set(words[at]!, words[at + 1]!)
    }
    return found
  }

  async #read(digest: string): Promise<Entry[]> {
    const known = this.#decoded.get(digest)
    const entries = known ?? decodePack(await this.#blobs.get(digest))
    this.#decoded.delete(digest)
    this.#decoded.set(digest, entries)
    for (const oldest of this.#decoded.keys()) {
      if (this.#decoded.size <= packsInMemory) break
      this.#decoded.delete(oldest)
    }
    return entries
  }
}

/**
 * KEYS log, sealed, packs. ARGV digest and summary of the pack, then of each of its entries the file, its blob (JSON or
 * empty) and when it was sealed (or empty). What is not as it was packed stays open: it was said meanwhile.
 */
const packScript = `
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
for at = 3, #ARGV, 3 do
  local file, blob, sealed = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if blob ~= '' then
    local open = redis.call('HGET', KEYS[1], file)
    if open then
      local one, other = cjson.decode(open), cjson.decode(blob)
      if one.digest == other.digest then redis.call('HDEL', KEYS[1], file) end
    end
  end
  if sealed ~= '' and redis.call('HGET', KEYS[2], file) == sealed then redis.call('HDEL', KEYS[2], file) end
end
return 1
`
