import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { FastifyInstance } from 'fastify'
import { catalog, type QueueName } from '../../../shared/queue/catalog.ts'
import type { Queues } from '../../../shared/queue/queues.ts'

const about: Record<QueueName, string> = {
  deploys: 'Deploys somebody asked for: planned and applied by a planner',
  compile: 'Packages to compile: one job for each package key, whoever needs it',
  rebuild: 'Packages that are compiled a second time, to see whether the same comes out',
  assemble: 'Remodels that are ready; a job may go on to further ones of its plan; the ledger knows the order',
}

/** Bull Board over Remodel's queues, read-only: the ledger decides what runs, so jobs are not retried or removed by hand. */
export async function mountBoard(server: FastifyInstance, { queues }: { queues: Queues }): Promise<void> {
  const adapter = new FastifyAdapter()
  adapter.setBasePath('/board')
  createBullBoard({
    queues: (Object.keys(catalog) as QueueName[]).map(
      (name) => new BullMQAdapter(queues.get(name), { readOnlyMode: true, description: about[name] }),
    ),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Remodel' } },
  })
  await server.register(adapter.registerPlugin(), { prefix: '/board' })
}
