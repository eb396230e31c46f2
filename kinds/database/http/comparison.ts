import { z } from 'zod'
import { materialType } from '../../../shared/model/material.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Kind } from '../../contract/kind.ts'
import { Comparison } from '../api/comparison.ts'

const ByName = z.object({ name: z.string() })

/** What the nodes of a database have, against each other. */
export const comparisonRoutes: NonNullable<Kind['routes']> = (server, { ledger, provider }) => {
  server.get(
    '/v1/deployments/:name/comparison',
    {
      schema: {
        description:
          'Compares all tables of a database between its nodes: rows and digest of each, and the first keys that differ. Ends with the request.',
        params: ByName,
        response: { 200: Comparison },
      },
    },
    async ({ params: { name } }, reply) => {
      const { materials } = await ledger.floorplan(name)
      if (!materials.some(({ id }) => materialType(id) === 'postgres_database'))
        throw new RemodelError('not-found', `${name} is no database that is deployed`)
      // It brings the client of PostgreSQL along.
      const { compare } = await import('../live/compare.ts')
      const over = new AbortController()
      reply.raw.once('close', () => over.abort())
      return compare({ materials, provider, deployment: name }, over.signal)
    },
  )
}
