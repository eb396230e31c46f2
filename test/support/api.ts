import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import { buildServer } from '../../services/planner/http/server.ts'
import type { Services } from '../../services/planner/http/services.ts'
import { DiskBlobstore } from '../../shared/blobstore/disk.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import { openTown, type Town } from '../reservation/town.ts'
import { openKinds } from './kinds.ts'
import { startRedis } from './redis.ts'

/** What a caller over TCP shows to the API that a test has opened. */
export const token = 'a-token-that-only-tests-know-for-callers'

export interface TestApi extends AsyncDisposable {
  town: Town
  server: Awaited<ReturnType<typeof buildServer>>
  blobs: DiskBlobstore
}

/** The API of a planner in this process, on a town, a Redis and a blobstore of its own. It has no provider. */
export async function openApi(prefix: string): Promise<TestApi> {
  const redis = await startRedis()
  const town = await openTown({ url: redis.url, prefix })
  const { ledger, planning } = town
  const queues = new Queues(town.redis, ledger.settings)
  const folder = await mkdtemp(join(tmpdir(), 'remodel-api-'))
  const blobs = await DiskBlobstore.open(folder)
  const services = {
    ...{ ledger, planning, queues },
    ...{ planner: 'p', version: '0', disk: {}, log: pino({ level: 'silent' }) },
    kinds: await openKinds(),
    catalog: new Catalog(town.redis, ledger.settings),
    blobs,
    stores: { redis: town.redis, settings: ledger.settings, blobs },
    heartbeat: new Heartbeat(town.redis, ledger.settings, 'p'),
  }
  const server = await buildServer(services as unknown as Services, { token, hosts: [], local: new WeakSet() })
  return {
    town,
    server,
    blobs,
    async [Symbol.asyncDispose]() {
      await server.close()
      await queues.close()
      town.close()
      await redis.stop()
      await rm(folder, { recursive: true })
    },
  }
}
