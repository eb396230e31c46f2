import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Routes } from '../../../../kinds/contract/routes.ts'
import { Check, CheckRequest } from '../../../../shared/api/schemas/check.ts'
import { RedisCompiledIndex } from '../../../../shared/compilation/compiled.ts'
import { Rebuilds } from '../../../../shared/compilation/rebuilds.ts'
import { jobId } from '../../../../shared/queue/payloads.ts'
import { sample, standOf } from '../../catalog/verifying.ts'
import type { Services } from '../services.ts'

/** Compiles packages a second time, to see whether the same comes out. */
export function verifyRoutes(server: Routes, { ledger, catalog, blobs, queues }: Services): void {
  const compiled = new RedisCompiledIndex(ledger.redis, ledger.settings)
  const rebuilds = new Rebuilds(ledger.redis, ledger.settings)

  server.post(
    '/v1/checks',
    {
      schema: {
        description:
          'Compiles a random share of the compiled packages again. Packages in use stay, whatever the result.',
        body: CheckRequest,
        response: { 202: Check },
      },
    },
    async ({ body }, reply) => {
      const asked = await sample(body.rebuildPercent / 100, { catalog, compiled })
      const id = randomBytes(6).toString('hex')
      if (asked.length > 0) {
        await rebuilds.create(id, asked)
        await queues.get('rebuild').addBulk(
          asked.map(({ spec }, n) => ({
            name: `${spec.name} ${spec.key.slice(0, 12)} again`,
            data: { check: id, n },
            opts: { jobId: jobId(id, n), attempts: 3, backoff: { type: 'fixed', delay: 500 } },
          })),
        )
      }
      return reply.status(202).send({ id, packages: await standOf(id, rebuilds, blobs) })
    },
  )

  server.get(
    '/v1/checks/:id',
    {
      schema: {
        description: 'The state of a check; kept for a day.',
        params: z.object({ id: z.string() }),
        response: { 200: Check },
      },
    },
    async ({ params }) => ({ id: params.id, packages: await standOf(params.id, rebuilds, blobs) }),
  )
}
