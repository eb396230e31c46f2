import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { VmLease } from '../../services/compiler/lease.ts'
import { CompilePool, type IdlePolicy } from '../../services/compiler/pool.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import type { CompileVmSpec } from '../../shared/compilation/prewarm-hints.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import { connectRedis, type RedisSettings } from '../../shared/runtime/redis.ts'
import { Place } from '../provider/place.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

interface Options {
  capacity?: number
  keep?: IdlePolicy
  waiting?: () => Promise<number>
  lifeMs?: number
  beatMs?: number
  /** Instead of this computer's own machines. */
  provider?: Provider
}

/** A compiler's pool, with the lease it stands on. */
export interface Bench {
  worker: string
  pool: CompilePool
  lease: VmLease
}

/** Redis, machines and blobs of a test's own, and as many pools as it wants. */
export class Benches {
  readonly place: Place
  readonly redis: Redis
  readonly settings: RedisSettings
  readonly log = pino({ level: 'silent' })
  readonly #server: TestRedis
  readonly #folder: string
  readonly #blobs: DiskBlobstore
  readonly #all: Bench[] = []

  private constructor(parts: { place: Place; server: TestRedis; folder: string; blobs: DiskBlobstore }) {
    this.place = parts.place
    this.#server = parts.server
    this.#folder = parts.folder
    this.#blobs = parts.blobs
    this.settings = { url: parts.server.url, prefix: 'test' }
    this.redis = connectRedis(this.settings, 'service')
  }

  static async open(): Promise<Benches> {
    const folder = await mkdtemp(join(tmpdir(), 'remodel-pool-'))
    const [place, server, blobs] = await Promise.all([Place.make(), startRedis(), DiskBlobstore.open(folder)])
    return new Benches({ place, server, folder, blobs })
  }

  pool({ capacity = 2, keep, waiting, lifeMs, beatMs, provider = this.place.provider }: Options = {}): Bench {
    const worker = `compiler-test-${this.#all.length}`
    const lease = new VmLease(this.redis, this.settings, worker, { lifeMs, beatMs })
    const more = { ...(keep ? { keep } : {}), ...(waiting ? { waiting } : {}) }
    const pool = new CompilePool({ provider, blobs: this.#blobs, worker, capacity, lease, log: this.log, ...more })
    const bench = { worker, pool, lease }
    this.#all.push(bench)
    return bench
  }

  /** Compile VMs of this one that stand, by id. */
  async actual(of: Bench): Promise<string[]> {
    const vms = await this.place.provider.listVms({ owner: `compiler/${of.worker}` })
    return vms.map(({ id }) => id).sort()
  }

  /** Closes all pools; fails on anything that is left. */
  async close(): Promise<void> {
    for (const { pool, lease } of this.#all) {
      await pool.close()
      await lease.stop()
    }
    this.redis.disconnect()
    await this.#server.stop()
    await rm(this.#folder, { recursive: true })
    await this.place.leave()
  }
}

/** What a package asks for: stemcell `local/<version>`. */
export function wish(version: string, more: Partial<CompileVmSpec> = {}): CompileVmSpec & { reuse: boolean } {
  return { stemcell: { name: 'local', os: 'local', version }, resources: {}, reuse: true, ...more }
}
