import type { Redis } from 'ioredis'
import { baseKey } from '../../ledger/keys.ts'
import type { RedisSettings } from '../../redis.ts'
import { type ArchivedLog, Backup, type LogFile, restorableUntil } from './chain.ts'

export interface Line {
  node: string
  line: string
  /** Milliseconds since the epoch. */
  since: number
}

/** A base backup as people see it. */
export interface BackupSummary {
  id: string
  node: string
  line: string
  /** Any time between these two can be restored; `until` null: its own log is not whole. Milliseconds. */
  from: number
  until: number | null
  stop: string
  nextXid: string
  dataBytes: number
  /** In the blobstore: the backup, and the log from it to the next backup of its line. */
  bytes: number
  logBytes: number
}

/**
 * What is archived of a deployment's databases. The bytes are in the blobstore; here is which of them are what. Entries never
 * change: to say something twice does no harm, so whoever was cut off says it again.
 *
 * | key below `<prefix>:{<deployment>}:archive` | type | what |
 * |---|---|---|
 * | `:lines` | hash | `<node>/<line>` -> since when |
 * | `:log:<node>/<line>` | hash | file of the log -> digest and size; `.history` file -> its text |
 * | `:sealed:<node>/<line>` | hash | file of the log -> until when it holds every commit |
 * | `:backups` | hash | id -> base backup |
 *
 * `<prefix>:archives` is the set of deployments whose servers archive.
 */
export class Archives {
  readonly #redis: Redis
  readonly #prefix: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#prefix = settings.prefix
  }

  #key(deployment: string, ...rest: string[]): string {
    return [baseKey(this.#prefix, deployment), 'archive', ...rest].join(':')
  }

  /** From now on the servers of the deployment are looked after. */
  async follow(deployment: string): Promise<void> {
    await this.#redis.sadd(`${this.#prefix}:archives`, deployment)
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
  async lacking(deployment: string, { node, line }: Omit<Line, 'since'>, files: readonly string[]): Promise<string[]> {
    if (files.length === 0) return []
    const known = await this.#redis.hmget(this.#key(deployment, 'log', `${node}/${line}`), ...files)
    return files.filter((_, index) => known[index] === null)
  }

  async addFile(
    deployment: string,
    of: Omit<Line, 'since'>,
    file: string,
    what: LogFile | { text: string },
  ): Promise<void> {
    await this.#redis.hset(this.#key(deployment, 'log', `${of.node}/${of.line}`), file, JSON.stringify(what))
  }

  /** `file`, and all before it, hold every commit up to `at`. Said once they are all here. */
  async seal(deployment: string, { node, line }: Omit<Line, 'since'>, file: string, at: number): Promise<void> {
    await this.#redis.hset(this.#key(deployment, 'sealed', `${node}/${line}`), file, at)
  }

  async log(deployment: string, { node, line }: Omit<Line, 'since'>): Promise<ArchivedLog> {
    const [entries, sealed] = await Promise.all([
      this.#redis.hgetall(this.#key(deployment, 'log', `${node}/${line}`)),
      this.#redis.hgetall(this.#key(deployment, 'sealed', `${node}/${line}`)),
    ])
    const files = new Map<string, LogFile>()
    const histories = new Map<number, string>()
    for (const [name, text] of Object.entries(entries)) {
      const what = JSON.parse(text) as LogFile | { text: string }
      if ('text' in what) histories.set(Number.parseInt(name.slice(0, 8), 16), what.text)
      else files.set(name, { ...what, ...(sealed[name] === undefined ? {} : { sealedAt: Number(sealed[name]) }) })
    }
    return { files, histories }
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
    const logs = new Map<string, ArchivedLog>()
    for (const { node, line } of backups) {
      if (!logs.has(`${node}/${line}`)) logs.set(`${node}/${line}`, await this.log(deployment, { node, line }))
    }
    return backups.map((backup) => {
      const { id, node, line, finishedAt: from, stop, nextXid, dataBytes, bytes, start } = backup
      const log = logs.get(`${node}/${line}`)!
      const next = backups.find((one) => one.node === node && one.line === line && one.finishedAt > from)
      const own = [...log.files].filter(([file]) => {
        const place = file.slice(8)
        return place >= start.slice(8) && (next === undefined || place < next.start.slice(8))
      })
      const logBytes = own.reduce((sum, [, file]) => sum + file.bytes, 0)
      return { id, node, line, from, until: restorableUntil(backup, log), stop, nextXid, dataBytes, bytes, logBytes }
    })
  }

  /**
   * Forgets all but the `keep` newest backups of a node, the log that only they needed, and lines that have no backup left but
   * `current`. The blobs go with the next clean-up.
   */
  async prune(deployment: string, node: string, current: string, keep: number): Promise<string[]> {
    const own = (await this.backups(deployment)).filter((backup) => backup.node === node)
    const kept = own.slice(-keep)
    const gone = own.slice(0, -keep).map(({ id }) => id)
    if (gone.length > 0) await this.#redis.hdel(this.#key(deployment, 'backups'), ...gone)
    for (const { line, node: of } of await this.lines(deployment)) {
      if (of !== node) continue
      const oldest = kept.filter((backup) => backup.line === line).map(({ start }) => start.slice(8))
      if (oldest.length > 0) await this.#forgetLog(deployment, `${node}/${line}`, oldest.sort()[0]!)
      else if (line !== current) await this.#forgetLine(deployment, `${node}/${line}`)
    }
    return gone
  }

  /** Forgets all that is archived of a deployment that stands no more, and looks after it no longer. */
  async forget(deployment: string): Promise<void> {
    for (const { node, line } of await this.lines(deployment)) await this.#forgetLine(deployment, `${node}/${line}`)
    await this.#redis.del(this.#key(deployment, 'backups'))
    await this.#redis.srem(`${this.#prefix}:archives`, deployment)
  }

  async #forgetLog(deployment: string, line: string, before: string): Promise<void> {
    const key = this.#key(deployment, 'log', line)
    const old = (await this.#redis.hkeys(key)).filter((file) => /^[0-9A-F]{24}$/.test(file) && file.slice(8) < before)
    if (old.length === 0) return
    await this.#redis.hdel(this.#key(deployment, 'sealed', line), ...old)
    await this.#redis.hdel(key, ...old)
  }

  async #forgetLine(deployment: string, line: string): Promise<void> {
    await this.#redis.del(this.#key(deployment, 'log', line), this.#key(deployment, 'sealed', line))
    await this.#redis.hdel(this.#key(deployment, 'lines'), line)
  }

  /** Every blob that the archive of a deployment names. */
  async digests(deployment: string): Promise<string[]> {
    const found = (await this.backups(deployment)).flatMap(({ directories, parts }) => [
      directories,
      ...parts.map(({ digest }) => digest),
    ])
    for (const line of await this.lines(deployment)) {
      const { files } = await this.log(deployment, line)
      found.push(...[...files.values()].map(({ digest }) => digest))
    }
    return found
  }
}
