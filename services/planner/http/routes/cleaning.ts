import type { Routes } from '../../../../kinds/contract/routes.ts'
import { Cleaned, CleanRequest } from '../../../../shared/api/schemas/cleaning.ts'
import { cleanUp } from '../../housekeeping/clean-up.ts'
import { cleanParts, keepBlobsMs } from '../../housekeeping/schedule.ts'
import type { Services } from '../services.ts'

/** Deleting blobs, releases and packages that are not needed any more. */
export function cleaningRoutes(server: Routes, services: Services): void {
  const parts = cleanParts(services)
  server.post(
    '/v1/clean-up',
    {
      schema: {
        description:
          'Deletes blobs that nothing names, and with `all` releases and compiled packages that no deployment uses.',
        body: CleanRequest,
        response: { 200: Cleaned },
      },
    },
    async ({ body }) => cleanUp(parts, { ...body, ageMs: keepBlobsMs() }),
  )
}
