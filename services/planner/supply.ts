import type { Redis } from 'ioredis'
import { RemodelError } from '../../shared/errors.ts'
import { canonical } from '../../shared/model/canonical.ts'
import type { RedisSettings } from '../../shared/redis.ts'
import { Release, Stemcell } from '../../shared/release/release.ts'
import { SourceDocument } from '../../shared/source/document.ts'
import type { Supplies } from './kinds/kind.ts'

export interface Config {
  type: 'cloud' | 'runtime'
  name: string
  content: string
}

/** What operators uploaded: releases, stemcells and configs. Their bytes are in the blobstore, this is the index. */
export class Supply {
  readonly #redis: Redis
  readonly #prefix: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#prefix = `${settings.prefix}:{supply}`
  }

  /** Throws `conflict` where the same name and version has other content. Returns whether it is new. */
  async addRelease(release: Release): Promise<boolean> {
    return this.#addOnce('releases', `${release.name}/${release.version}`, release)
  }

  async addStemcell(stemcell: Stemcell): Promise<boolean> {
    return this.#addOnce('stemcells', `${stemcell.name}/${stemcell.version}`, stemcell)
  }

  async releases(): Promise<Release[]> {
    return (await this.#all('releases')).map((text) => Release.parse(JSON.parse(text)))
  }

  async stemcells(): Promise<Stemcell[]> {
    return (await this.#all('stemcells')).map((text) => Stemcell.parse(JSON.parse(text)))
  }

  /** Puts a config in the place of the one with its type and name; its text must be YAML. */
  async putConfig(config: Config): Promise<void> {
    new SourceDocument(`${config.type}-config ${config.name}`, config.content)
    await this.#redis.hset(`${this.#prefix}:configs`, `${config.type}/${config.name}`, JSON.stringify(config))
  }

  async configs(): Promise<Config[]> {
    return (await this.#all('configs')).map((text) => JSON.parse(text))
  }

  /** Everything an architect may see; `cloudConfigs` given with a plan take the place of the uploaded ones. */
  async supplies(cloudConfigs: readonly SourceDocument[]): Promise<Omit<Supplies, 'taken' | 'created'>> {
    const [releases, stemcells, configs] = await Promise.all([this.releases(), this.stemcells(), this.configs()])
    const documents = (type: Config['type']) =>
      configs
        .filter((config) => config.type === type)
        .map(({ name, content }) => new SourceDocument(`${type}-config ${name}`, content))
    const cloud = cloudConfigs.length > 0 ? cloudConfigs : documents('cloud')
    return { releases, stemcells, configs: { cloud, runtime: documents('runtime') } }
  }

  async #addOnce(kind: string, id: string, value: Release | Stemcell): Promise<boolean> {
    const added = await this.#redis.hsetnx(`${this.#prefix}:${kind}`, id, JSON.stringify(value))
    if (added === 1) return true
    const stands = JSON.parse((await this.#redis.hget(`${this.#prefix}:${kind}`, id)) ?? 'null')
    if (canonical(stands) !== canonical(value)) {
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
