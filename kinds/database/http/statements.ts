import { z } from 'zod'
import { noSuchDeployment } from '../../../shared/ledger/no-such-deployment.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Kind } from '../../contract/kind.ts'
import { StatementOutcome, StatementsRequest } from '../api/statements.ts'

const ByName = z.object({ name: z.string() })

/** Statements that change tables are not replicated: they are run on every node, or on none. */
export const statementRoutes: NonNullable<Kind['routes']> = (server, { ledger, stores, provider }) => {
  server.post(
    '/v1/deployments/:name/statements',
    {
      schema: {
        description:
          'Runs statements on all nodes of a database, or on none where one refuses; `nodes`: on those only.',
        params: ByName,
        body: StatementsRequest,
        response: { 200: z.array(StatementOutcome) },
      },
    },
    async ({ params: { name }, body }) => {
      const kind = await ledger.kindOf(name)
      if (kind === undefined) throw await noSuchDeployment(ledger, name)
      if (kind !== 'database')
        throw new RemodelError('invalid-input', `${name} is of kind ${kind}, which takes no statements`)
      const { materials } = await ledger.floorplan(name)
      // It brings the client of PostgreSQL along.
      const { statementsOnNodes } = await import('../live/statements.ts')
      return statementsOnNodes(body, { deployment: name, materials, provider, stores })
    },
  )
}
