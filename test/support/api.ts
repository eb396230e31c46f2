import { pino } from 'pino'
import { buildServer } from '../../services/planner/http/server.ts'
import type { Services } from '../../services/planner/http/services.ts'
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
}

/** The API of a planner in this process, on a town and a Redis of its own. It has no provider and keeps no blobs. */
export async function openApi(prefix: string): Promise<TestApi> {
  const redis = await startRedis()
  const town = await openTown({ url: redis.url, prefix })
  const { ledger, planning } = town
  const queues = new Queues(town.redis, ledger.settings)
  const services = {
    ...{ ledger, planning, queues },
    ...{ planner: 'p', version: '0', disk: {}, log: pino({ level: 'silent' }) },
    kinds: await openKinds(),
    stores: { redis: town.redis, settings: ledger.settings, blobs: {} },
    heartbeat: new Heartbeat(town.redis, ledger.settings, 'p'),
  }
  const server = await buildServer(services as unknown as Services, { token, hosts: [], local: new WeakSet() })
  return {
    town,
    server,
    async [Symbol.asyncDispose]() {
      await server.close()
      await queues.close()
      town.close()
      await redis.stop()
    },
  }
}
