import { cleanUp } from '../../cleaning/clean.ts'
import { cleanParts, keepBlobsMs } from '../../cleaning/schedule.ts'
import { Cleaned, CleanRequest } from '../schema.ts'
import type { Services } from '../services.ts'
import type { Routes } from './routes.ts'

/** Taking away what nobody needs any more. */
export function cleaningRoutes(server: Routes, services: Services): void {
  const parts = cleanParts(services)
  server.post(
    '/v1/clean-up',
    {
      schema: {
        description:
          'Deletes blobs that nothing names, and with `all` releases and compiled packages that nobody uses.',
        body: CleanRequest,
        response: { 200: Cleaned },
      },
    },
    async ({ body }) => cleanUp(parts, { ...body, ageMs: keepBlobsMs() }),
  )
}
