import { z } from 'zod'
import type { Routes } from '../../../../kinds/contract/routes.ts'
import { KeptOrder, OrderVersion } from '../../../../shared/api/schemas/order.ts'
import type { Services } from '../services.ts'

const ByName = z.object({ name: z.string() })

/** The orders that deployments were deployed by, version by version. */
export function standingOrderRoutes(server: Routes, { planning }: Services): void {
  const { orders } = planning

  server.get(
    '/v1/deployments/:name/orders',
    {
      schema: {
        description:
          'The orders that the deployment was deployed by, the newest first: those whose plans were opened, the last 100.',
        params: ByName,
        response: { 200: z.array(OrderVersion) },
      },
    },
    async ({ params: { name } }) => orders.list(name),
  )

  server.get(
    '/v1/deployments/:name/orders/:version',
    {
      schema: {
        description: 'One of them with its documents: by its number, or `latest`. 404 where it is not kept.',
        params: ByName.extend({ version: z.union([z.literal('latest'), z.coerce.number().int().positive()]) }),
        response: { 200: KeptOrder },
      },
    },
    async ({ params: { name, version } }) => orders.read(name, version === 'latest' ? undefined : version),
  )
}
