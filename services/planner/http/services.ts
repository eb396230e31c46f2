import type { Logger } from 'pino'
import type { Stores } from '../../../kinds/contract/stores.ts'
import type { KindRegistry } from '../../../kinds/registry.ts'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import type { Ledger } from '../../../shared/ledger/ledger.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import type { Queues } from '../../../shared/queue/queues.ts'
import type { DiskWatch } from '../../../shared/runtime/disk-space.ts'
import type { Heartbeat } from '../../../shared/runtime/heartbeat.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Planning } from '../planning/planning.ts'
import type { Verdicts } from '../planning/verdicts.ts'

/** What the routes work with. */
export interface Services {
  planner: string
  version: string
  ledger: Ledger
  planning: Planning
  verdicts: Verdicts
  catalog: Catalog
  kinds: KindRegistry
  blobs: Blobstore
  /** Where kinds keep what is neither plan nor floorplan. */
  stores: Stores
  provider: Provider
  queues: Queues
  heartbeat: Pick<Heartbeat, 'served'>
  disk: Pick<DiskWatch, 'warning'>
  log: Logger
}
