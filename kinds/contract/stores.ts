import type { Redis } from 'ioredis'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { RedisSettings } from '../../shared/runtime/redis.ts'

/**
 * Where a kind keeps what is neither plan nor floorplan: keys of its own below those of a deployment (`baseKey` of
 * `shared/ledger/keys.ts`), and blobs. `Kind.keptBlobs` keeps the blobs that it names there from the clean-up.
 */
export interface Stores {
  redis: Redis
  settings: RedisSettings
  blobs: Blobstore
}
