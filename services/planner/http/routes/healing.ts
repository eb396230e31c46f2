import { z } from 'zod'
import type { Routes } from '../../../../kinds/contract/routes.ts'
import { noSuchDeployment } from '../../../../shared/ledger/no-such-deployment.ts'
import { Healing, HealingMode } from '../../../../shared/model/healing.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import type { Services } from '../services.ts'

const ByName = z.object({ name: z.string() })

/** Whether deployments are mended between deploys. */
export function healingRoutes(server: Routes, { ledger, kinds }: Services): void {
  server.get(
    '/v1/deployments/:name/healing',
    {
      schema: {
        description: 'Whether the deployment is mended by itself, and the repairs of it.',
        params: ByName,
        response: { 200: Healing },
      },
    },
    async ({ params: { name } }) => {
      if ((await ledger.kindOf(name)) === undefined) throw await noSuchDeployment(ledger, name)
      return ledger.healings.of(name)
    },
  )

  server.put(
    '/v1/deployments/:name/healing',
    {
      schema: {
        description:
          'Says whether the deployment is mended by itself. `off` counts at once: a repair that is not open yet is not carried out. 409 where nothing of its kind is mended.',
        params: ByName,
        body: z.strictObject({ mode: HealingMode, message: z.string().max(1000).default('') }),
        response: { 200: Healing },
      },
    },
    async ({ params: { name }, body: { mode, message }, actor }) => {
      const kind = await ledger.kindOf(name)
      if (kind === undefined) throw await noSuchDeployment(ledger, name)
      if (mode !== 'off' && !kinds.find(kind)?.losses) {
        throw new RemodelError('conflict', `${name} is of kind ${kind}, of which nothing is mended between deploys`)
      }
      await ledger.healings.set(name, mode, { by: actor, message })
      return ledger.healings.of(name)
    },
  )
}
