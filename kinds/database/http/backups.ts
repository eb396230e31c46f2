import { z } from 'zod'
import { PlanView } from '../../../shared/api/schemas/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Kind } from '../../contract/kind.ts'
import { BackupSummary } from '../api/backup.ts'
import { archivesOf } from '../archive/archives.ts'

const ByName = z.object({ name: z.string() })

/** What is archived of databases. Backups are made by a plan: action `back-up`. */
export const backupRoutes: NonNullable<Kind['routes']> = (server, { ledger, stores, drawAction }) => {
  const archives = archivesOf(stores)

  server.post(
    '/v1/deployments/:name/backups',
    {
      schema: {
        description: 'The same as action back-up.',
        params: ByName,
        body: z.unknown(),
        response: { 201: PlanView },
      },
    },
    async ({ params: { name }, body }, reply) => reply.status(201).send(await drawAction(name, 'back-up', body)),
  )

  server.get(
    '/v1/deployments/:name/backups',
    {
      schema: {
        description:
          'Base backups, oldest first, and which times each can be restored to. They outlive the deployment.',
        params: ByName,
        response: { 200: z.array(BackupSummary) },
      },
    },
    async (request) => archives.summaries(request.params.name),
  )

  server.delete(
    '/v1/deployments/:name/backups',
    {
      schema: {
        description: 'Forgets the backups of a deployment that is gone; the blobs go with the next clean-up.',
        params: ByName,
        response: { 200: z.array(BackupSummary) },
      },
    },
    async (request) => {
      const { name } = request.params
      const { materials } = await ledger.floorplan(name)
      if (materials.length > 0 || (await ledger.isOpen(name))) {
        throw new RemodelError(
          'conflict',
          `${name} is deployed: its backups go with retention_full, or once it is deleted`,
        )
      }
      const gone = await archives.summaries(name)
      await archives.forget(name)
      return gone
    },
  )
}
