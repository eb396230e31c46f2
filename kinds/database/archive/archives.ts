import type { Redis } from 'ioredis'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import { baseKey } from '../../../shared/ledger/keys.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'
import type { Stores } from '../../contract/stores.ts'
import type { BackupSummary } from '../api/backup.ts'
import { type ArchivedLog, Backup, type LogFile, segmentOf } from './chain.ts'
import { type LineName, LogIndex } from './log-index.ts'
import { neededFrom, Reach, reachOf, untilOf } from './reach.ts'
import { Seal } from './sealing.ts'

export interface Line {
  node: string
  line: string
  /** Milliseconds since the epoch. */
  since: number
}

/** The archives in these stores: one object for all who ask, as it keeps what it has read of packs. */
export function archivesOf(stores: Stores): Archives {
  const known = opened.get(stores) ?? new Archives(stores.redis, stores.settings, stores.blobs)
  opened.set(stores, known)
  return known
}
const opened = new WeakMap<Stores, Archives>()

/**
 * The archive of a deployment's databases. The bytes are in the blobstore; this index records what each blob is.
 * Entries never change: writing one twice does no harm, so a writer that was cut off writes it again.
 *
 * | key below `<prefix>:{<deployment>}:archive` | type | what |
 * |---|---|---|
 * | `:lines` | hash | `<node>/<line>` -> since when |
 * | `:log:…`, `:sealed:…`, `:packs:…` | hash | the log of a line: `log-index.ts` |
 * | `:seals` | hash | `<node>/<line>` -> the last seal: `sealing.ts` |
 * | `:backups` | hash | id -> base backup |
 * | `:reach` | hash | id of a backup -> how far the log behind it goes, up to the last pack: `reach.ts` |
 *
 * `<prefix>:archives` is the set of deployments whose servers archive.
 */
export class Archives {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #index: LogIndex

  constructor(redis: Redis, settings: RedisSettings, blobs: Blobstore) {
    this.#redis = redis
    this.#prefix = settings.prefix
    this.#index = new LogIndex(redis, settings.prefix, blobs)
  }

  #key(deployment: string, ...rest: string[]): string {
    return [baseKey(this.#prefix, deployment), 'archive', ...rest].join(':')
  }

  /** From now on the servers of the deployment are looked after. */
  async follow(deployment: string): Promise<void> {
    await this.#redis.sadd(`${this.#prefix}:archives`, deployment)
  }

  async unfollow(deployment: string): Promise<void> {
    await this.#redis.srem(`${this.#prefix}:archives`, deployment)
  }

  async followed(): Promise<string[]> {
    return (await this.#redis.smembers(`${this.#prefix}:archives`)).sort()
  }

  async beginLine(deployment: string, { node, line, since }: Line): Promise<void> {
    await this.#redis.hsetnx(this.#key(deployment, 'lines'), `${node}/${line}`, since)
  }

  async lines(deployment: string): Promise<Line[]> {
    const all = await this.#redis.hgetall(this.#key(deployment, 'lines'))
    return Object.entries(all)
      .map(([name, since]) => {
        const [node = '', line = ''] = name.split('/')
        return { node, line, since: Number(since) }
      })
      .sort((a, b) => a.since - b.since)
  }

  /** Which of these files of the log the archive does not have. */
  lacking(of: LineName, files: readonly string[]): Promise<string[]> {
    return this.#index.lacking(of, files)
  }

  addFile(of: LineName, file: string, what: LogFile | { text: string }): Promise<void> {
    return this.#index.add(of, file, what)
  }

  /** The last seal of a line, by whichever assembler; null: there is none. */
  async lastSeal({ deployment, node, line }: LineName): Promise<Seal | null> {
    const text = await this.#redis.hget(this.#key(deployment, 'seals'), `${node}/${line}`)
    return text === null ? null : Seal.parse(JSON.parse(text))
  }

  /** A file was ended. Said before anything of it is archived: what comes next may take long, or not happen at all. */
  async sealed({ deployment, node, line }: LineName, seal: Seal): Promise<void> {
    await this.#redis.hset(this.#key(deployment, 'seals'), `${node}/${line}`, JSON.stringify(seal))
  }

  /** All files up to that of the seal are here. */
  async archived(of: LineName, seal: Seal): Promise<void> {
    await this.#index.seal(of, seal.file, seal.at)
    await this.sealed(of, { ...seal, archivedAt: seal.at })
  }

  /** The log of a line, from a file on where one is given. */
  log(of: LineName, from?: string): Promise<ArchivedLog> {
    return this.#index.log(of, from === undefined ? 0 : segmentOf(from))
  }

  /** Keeps the index in Redis short. How far backups reach is kept first, so that no pack is read for it. */
  pack(of: LineName): Promise<number> {
    return this.#index.pack(of, async (to) => {
      const known = await this.#knownReaches(of.deployment)
      const histories = await this.#index.histories(of)
      for (const backup of await this.backups(of.deployment)) {
        if (backup.node !== of.node || backup.line !== of.line) continue
        const kept = known.get(backup.id)
        const from = neededFrom(backup, kept, { histories })
        if (from === null || from > to) continue
        await this.#keepReach(of.deployment, backup, { kept, log: await this.#index.log(of, from), to })
      }
    })
  }

  async addBackup(deployment: string, backup: Backup): Promise<void> {
    await this.#redis.hset(this.#key(deployment, 'backups'), backup.id, JSON.stringify(backup))
  }

  /** Oldest first. */
  async backups(deployment: string): Promise<Backup[]> {
    const all = await this.#redis.hvals(this.#key(deployment, 'backups'))
    return all.map((text) => Backup.parse(JSON.parse(text))).sort((a, b) => a.finishedAt - b.finishedAt)
  }

  async backup(deployment: string, id: string): Promise<Backup | null> {
    const text = await this.#redis.hget(this.#key(deployment, 'backups'), id)
    return text === null ? null : Backup.parse(JSON.parse(text))
  }

  async summaries(deployment: string): Promise<BackupSummary[]> {
    const backups = await this.backups(deployment)
    const reaches = new Map<string, Reach>()
    for (const own of Map.groupBy(backups, ({ node, line }) => `${node}/${line}`).values()) {
      for (const [id, reach] of await this.#reaches(deployment, own)) reaches.set(id, reach)
    }
    return backups.map((backup) => {
      const { id, node, line, finishedAt: from, stop, nextXid, dataBytes, bytes } = backup
      const reach = reaches.get(id)!
      const next = backups.find((one) => one.node === node && one.line === line && one.finishedAt > from)
      const behind = next && reaches.get(next.id)
      const logBytes = reach.bytes - (behind && behind.last === reach.last ? behind.bytes : 0)
      return { id, node, line, from, until: untilOf(backup, reach), stop, nextXid, dataBytes, bytes, logBytes }
    })
  }

  /** Of backups of one line, how far each goes: what is kept, and what is open since. */
  async #reaches(deployment: string, backups: readonly Backup[]): Promise<[string, Reach][]> {
    const [first] = backups
    const of = { deployment, node: first!.node, line: first!.line }
    const known = await this.#knownReaches(deployment)
    const [histories, packedTo] = [await this.#index.histories(of), await this.#index.packedTo(of)]
    // One look at what is open does for all that are kept; the packs are read for a backup that is not, and then it is.
    const logs = new Map<number, ArchivedLog>()
    const found: [string, Reach][] = []
    for (const backup of backups) {
      let kept = known.get(backup.id)
      const from = neededFrom(backup, kept, { histories })
      if (from !== null) {
        const log = logs.get(from) ?? (await this.#index.log(of, from))
        logs.set(from, log)
        if (from <= packedTo) kept = await this.#keepReach(deployment, backup, { kept, log, to: packedTo })
        kept = reachOf(backup, kept, log)
      }
      found.push([backup.id, kept!])
    }
    return found
  }

  async #knownReaches(deployment: string): Promise<Map<string, Reach>> {
    const all = await this.#redis.hgetall(this.#key(deployment, 'reach'))
    return new Map(Object.entries(all).map(([id, text]) => [id, Reach.parse(JSON.parse(text))]))
  }

  /** How far a backup goes within what is packed up to `to`. A file that is missing there will not come any more. */
  async #keepReach(
    deployment: string,
    backup: Backup,
    { kept, log, to }: { kept: Reach | undefined; log: ArchivedLog; to: number },
  ): Promise<Reach> {
    const reach = reachOf(backup, kept, log, to)
    const ended = reach.last === null || segmentOf(reach.last) < to
    const found = { ...reach, ended }
    await this.#redis.hset(this.#key(deployment, 'reach'), backup.id, JSON.stringify(found))
    return found
  }

  /**
   * Forgets all but the `keep` newest backups of a node, the log that only they needed, and lines that have no backup
   * left but `current`. What lies there under a name that the node had before goes with it, as the line is the same.
   * The blobs go with the next clean-up.
   */
  async prune(deployment: string, node: string, current: string, keep: number): Promise<string[]> {
    const own = (await this.backups(deployment)).filter((backup) => backup.node === node || backup.line === current)
    const kept = own.slice(-keep)
    const gone = own.slice(0, -keep).map(({ id }) => id)
    if (gone.length > 0) {
      await this.#redis
        .multi()
        .hdel(this.#key(deployment, 'backups'), ...gone)
        .hdel(this.#key(deployment, 'reach'), ...gone)
        .exec()
    }
    for (const { line, node: of } of await this.lines(deployment)) {
      if (of !== node && line !== current) continue
      const oldest = kept
        .filter((backup) => backup.line === line && backup.node === of)
        .map(({ start }) => segmentOf(start))
      if (oldest.length > 0) await this.#index.forgetBefore({ deployment, node: of, line }, Math.min(...oldest))
      else if (line !== current || of !== node) await this.#forgetLine({ deployment, node: of, line })
    }
    return gone
  }

  /** Forgets all that is archived of a deployment that is gone, and looks after it no longer. */
  async forget(deployment: string): Promise<void> {
    for (const line of await this.lines(deployment)) await this.#forgetLine({ deployment, ...line })
    await this.#redis.del(
      this.#key(deployment, 'backups'),
      this.#key(deployment, 'reach'),
      this.#key(deployment, 'seals'),
    )
    await this.unfollow(deployment)
  }

  async #forgetLine(of: LineName): Promise<void> {
    await this.#index.forget(of)
    await this.#redis.hdel(this.#key(of.deployment, 'seals'), `${of.node}/${of.line}`)
    await this.#redis.hdel(this.#key(of.deployment, 'lines'), `${of.node}/${of.line}`)
  }

  /** Every blob that the archive of a deployment names. */
  async digests(deployment: string): Promise<string[]> {
    const found = (await this.backups(deployment)).flatMap(({ directories, parts }) => [
      directories,
      ...parts.map(({ digest }) => digest),
    ])
    for (const line of await this.lines(deployment)) {
      for (const digest of await this.#index.digests({ deployment, ...line })) found.push(digest)
    }
    return found
  }
}
