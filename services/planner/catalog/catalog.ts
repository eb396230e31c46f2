import type { Redis } from 'ioredis'
import type { CatalogView, ReleaseId } from '../../../kinds/contract/kind.ts'
import { canonical } from '../../../shared/model/canonical.ts'
import type { Uploads } from '../../../shared/model/standing-order.ts'
import { checkStemcell } from '../../../shared/release/check.ts'
import { mergeReleases } from '../../../shared/release/merge.ts'
import { Release, Stemcell } from '../../../shared/release/release.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { ForgettableHash } from '../../../shared/runtime/redis/forgettable-hash.ts'
import type { RedisSettings } from '../../../shared/runtime/redis.ts'
import type { SourceDocument } from '../../../shared/source/document.ts'
import { readDocument } from '../../../shared/source/reading.ts'

export interface Config {
  type: 'cloud' | 'runtime'
  name: string
  content: string
}

/**
 * Puts a release where the catalog still has what it was made from, as one that was uploaded now: a clean-up that had
 * condemned it leaves it.
 *
 * KEYS[1] catalog, [2] its condemned releases, [3] times of uploads; ARGV[1] name and version, [2] what the catalog has
 * ('' for nothing), [3] what it is to have, [4] milliseconds since the epoch. Answers 1 where it was put.
 */
const put = `if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
return 1`

/** What operators uploaded: releases, stemcells and configs. Their bytes are in the blobstore, this is the index. */
export class Catalog {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #uploaded: string
  readonly #releases: ForgettableHash

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#prefix = `${settings.prefix}:{supply}`
    this.#uploaded = `${this.#prefix}:uploaded`
    this.#releases = new ForgettableHash(redis, `${this.#prefix}:releases`, [this.#uploaded])
  }

  /**
   * Adds a release; forms of its packages that were missing are added to the stored one. Throws `conflict` where the
   * same name and version has other content. Answers the stored release, and whether it is new.
   */
  async addRelease(given: Release): Promise<{ release: Release; added: boolean }> {
    const id = idOf(given)
    for (;;) {
      const before = await this.#redis.hget(this.#releases.key, id)
      const stored = before === null ? null : Release.parse(JSON.parse(before))
      const release = stored ? mergeReleases(stored, given) : given
      const added = !stored || canonical(release) !== canonical(stored)
      const text = added ? JSON.stringify(release) : before
      const keys = [this.#releases.key, this.#releases.condemnedKey, this.#uploaded]
      if ((await this.#redis.eval(put, keys.length, ...keys, id, before ?? '', text ?? '', Date.now())) === 1)
        return { release, added }
    }
  }

  /** One release; throws `not-found`. */
  async release(name: string, version: string): Promise<Release> {
    const text = await this.#redis.hget(this.#releases.key, idOf({ name, version }))
    if (text !== null) return Release.parse(JSON.parse(text))
    const known = (await this.releaseIds()).filter((one) => one.name === name).map((one) => one.version)
    const hint = known.length > 0 ? `; there is ${known.map((one) => `${name}/${one}`).join(', ')}` : ''
    throw new RemodelError('not-found', `there is no release ${name}/${version}${hint}`, { details: { known } })
  }

  /** When a release was uploaded last, in milliseconds since the epoch, by `<name>/<version>`. */
  async uploadTimes(): Promise<Map<string, number>> {
    const times = await this.#redis.hgetall(this.#uploaded)
    return new Map(Object.entries(times).map(([id, time]) => [id, Number(time)]))
  }

  /** Begins to take releases out of the catalog; one that is uploaded or planned with from here on stays. */
  condemnReleases(releases: readonly ReleaseId[]): Promise<void> {
    return this.#releases.condemn(releases.map(idOf))
  }

  /**
   * Takes those of `releases` out of the catalog that were condemned and are still so; answers which. Their blobs stay
   * until they are swept.
   */
  async forgetReleases(releases: readonly ReleaseId[]): Promise<ReleaseId[]> {
    const forgotten = new Set(await this.#releases.forget(releases.map(idOf)))
    return releases.filter((release) => forgotten.has(idOf(release)))
  }

  async addStemcell(stemcell: Stemcell): Promise<boolean> {
    checkStemcell(stemcell)
    return this.#addOnce('stemcells', `${stemcell.name}/${stemcell.version}`, stemcell)
  }

  async releases(): Promise<Release[]> {
    return (await this.#all('releases')).map((text) => Release.parse(JSON.parse(text)))
  }

  /** Name and version of every release, in the order of their names. */
  async releaseIds(): Promise<ReleaseId[]> {
    const ids = await this.#redis.hkeys(this.#releases.key)
    return ids.sort().map((id) => ({ name: id.slice(0, id.indexOf('/')), version: id.slice(id.indexOf('/') + 1) }))
  }

  /** Those that are there, for a caller that is about to plan with them. */
  async #read(chosen: readonly ReleaseId[]): Promise<Release[]> {
    const found = await this.#releases.find(chosen.map(idOf))
    return [...found.values()].map((text) => Release.parse(JSON.parse(text)))
  }

  async stemcells(): Promise<Stemcell[]> {
    return (await this.#all('stemcells')).map((text) => Stemcell.parse(JSON.parse(text)))
  }

  /** Puts a config in the place of the one with its type and name, without a look at it: see `takeConfig`. */
  async putConfig(config: Config): Promise<void> {
    await this.#redis.hset(`${this.#prefix}:configs`, `${config.type}/${config.name}`, JSON.stringify(config))
  }

  /** Throws `not-found`. */
  async config(type: Config['type'], name: string): Promise<Config> {
    const text = await this.#redis.hget(`${this.#prefix}:configs`, `${type}/${name}`)
    if (text !== null) return JSON.parse(text)
    const known = (await this.configs()).filter((one) => one.type === type).map((one) => one.name)
    const hint = known.length > 0 ? `; there is ${known.join(', ')}` : '; none is stored'
    throw new RemodelError('not-found', `there is no ${type} config ${name}${hint}`, { details: { known } })
  }

  /** Takes a config away and answers it; throws `not-found`. */
  async dropConfig(type: Config['type'], name: string): Promise<Config> {
    const config = await this.config(type, name)
    await this.#redis.hdel(`${this.#prefix}:configs`, `${type}/${name}`)
    return config
  }

  async configs(): Promise<Config[]> {
    return (await this.#all('configs')).map((text) => JSON.parse(text))
  }

  /**
   * Everything an architect may see: of the catalog only what `choose` takes out of it; `cloudConfigs` given with a
   * plan take the place of the uploaded ones. With `uploads` the catalog is as it was when it had these: throws
   * `not-found` for a release that is there no more.
   */
  async view(
    cloudConfigs: readonly SourceDocument[],
    choose: (releaseIds: readonly ReleaseId[]) => readonly ReleaseId[],
    uploads?: Uploads,
  ): Promise<Omit<CatalogView, 'created' | 'kept'> & Required<Pick<CatalogView, 'releaseIds'>>> {
    const [known, all, configs] = await Promise.all([this.releaseIds(), this.stemcells(), this.configs()])
    const stemcells = uploads ? all.filter((one) => isAmong(uploads.stemcells, one)) : all
    const gone = uploads?.releases.find((release) => !isAmong(known, release))
    if (gone) throw new RemodelError('not-found', `release ${idOf(gone)} is not uploaded any more: upload it again`)
    const releaseIds = uploads?.releases ?? known
    const releases = await this.#read(choose(releaseIds))
    const cloud = cloudConfigs.length > 0 ? cloudConfigs : await documentsOf(configs, 'cloud')
    return { releases, releaseIds, stemcells, configs: { cloud, runtime: await documentsOf(configs, 'runtime') } }
  }

  async #addOnce(kind: string, id: string, value: Stemcell): Promise<boolean> {
    const added = await this.#redis.hsetnx(`${this.#prefix}:${kind}`, id, JSON.stringify(value))
    if (added === 1) return true
    const stored = JSON.parse((await this.#redis.hget(`${this.#prefix}:${kind}`, id)) ?? 'null')
    if (canonical(stored) !== canonical(value)) {
      throw new RemodelError('conflict', `${id} exists with other content; give it another version`)
    }
    return false
  }

  /** In the order of their names, so that plans do not depend on the order of uploads. */
  async #all(kind: string): Promise<string[]> {
    const entries = Object.entries(await this.#redis.hgetall(`${this.#prefix}:${kind}`))
    return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text)
  }
}

function isAmong(uploads: readonly ReleaseId[], { name, version }: ReleaseId): boolean {
  return uploads.some((one) => one.name === name && one.version === version)
}

function idOf({ name, version }: ReleaseId): string {
  return `${name}/${version}`
}

/** The configs of one type as documents. */
export function documentsOf(configs: readonly Config[], wanted: Config['type']): Promise<SourceDocument[]> {
  const those = configs.filter(({ type }) => type === wanted)
  return Promise.all(those.map(({ type, name, content }) => readDocument(`${type}-config ${name}`, content)))
}
