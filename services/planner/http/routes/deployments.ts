import { z } from 'zod'
import type { Kind } from '../../../../kinds/contract/kind.ts'
import type { Routes } from '../../../../kinds/contract/routes.ts'
import { Deployment, Lock } from '../../../../shared/api/schemas/deployment.ts'
import { ExecRequest, ExecResponse, Instance, LogsResponse } from '../../../../shared/api/schemas/instance.ts'
import { noSuchDeployment } from '../../../../shared/ledger/no-such-deployment.ts'
import { type DeploymentRecord, Overview } from '../../../../shared/ledger/overview.ts'
import { Floorplan } from '../../../../shared/model/material.ts'
import { Verdict } from '../../../../shared/model/verdict.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { connectInstance, instancesOf } from '../instances.ts'
import { positionsOf, readLogs } from '../logs.ts'
import type { Services } from '../services.ts'

const ByName = z.object({ name: z.string() })
/** `<group>/<index>` of a deployment, one name of kinds whose instances have one: both are their path. */
const ByInstance = z.object({ name: z.string(), instance: z.string(), index: z.string().optional() })
const ofInstances = ['/v1/deployments/:name/instances/:instance', '/v1/deployments/:name/instances/:instance/:index']
const instanceName = ({ instance, index }: z.infer<typeof ByInstance>) =>
  index === undefined ? instance : `${instance}/${index}`

/** Deployments, their instances and floorplans; locks. */
export function deploymentRoutes(server: Routes, services: Services): void {
  const { ledger } = services

  const overview = new Overview(ledger)
  const shown = ({ lastPlan, ...one }: DeploymentRecord): Deployment => ({ ...one, kind: lastPlan.kind, lastPlan })

  const kindOf = async (name: string): Promise<Kind> => {
    const kind = await ledger.kindOf(name)
    if (kind === undefined) throw await noSuchDeployment(ledger, name)
    return services.kinds.get(kind)
  }

  server.get(
    '/v1/deployments',
    {
      schema: {
        description: 'Deployments with materials, or with a plan that is open.',
        response: { 200: z.array(Deployment) },
      },
    },
    async () => {
      const all = await overview.deployments(await ledger.deployments())
      return all.filter((one) => one.lock !== null || Object.keys(one.materials).length > 0).map(shown)
    },
  )

  server.get(
    '/v1/deployments/:name',
    { schema: { description: 'One deployment.', params: ByName, response: { 200: Deployment } } },
    async (request) => {
      const [found] = await overview.deployments([request.params.name])
      if (!found) throw await noSuchDeployment(ledger, request.params.name)
      return shown(found)
    },
  )

  server.get(
    '/v1/deployments/:name/floorplan',
    {
      schema: {
        description: 'All materials of the deployment, as recorded.',
        params: ByName,
        response: { 200: Floorplan },
      },
    },
    async (request) => ledger.floorplan(request.params.name),
  )

  server.get(
    '/v1/deployments/:name/verdict',
    {
      schema: {
        description:
          'Looks at what is there now and compares it with what is recorded; `waitSeconds`: looks again for this long while something deviates.',
        params: ByName,
        querystring: z.object({ waitSeconds: z.coerce.number().min(0).max(60).default(0) }),
        response: { 200: Verdict },
      },
    },
    async ({ params: { name }, query }) => services.verdicts.look(name, await kindOf(name), query.waitSeconds * 1000),
  )

  server.get(
    '/v1/deployments/:name/instances',
    {
      schema: {
        description:
          'Instances with the state of their processes, asked of their machines now, and what their kind says of them.',
        params: ByName,
        response: { 200: z.array(withFieldsOf(services.kinds.all)) },
      },
    },
    async (request) => {
      const { name } = request.params
      const looking = { provider: services.provider, stores: services.stores }
      return instancesOf(await ledger.floorplan(name), await kindOf(name), looking)
    },
  )

  const connect = async (at: z.infer<typeof ByInstance>) => {
    const [floorplan, kind] = await Promise.all([ledger.floorplan(at.name), kindOf(at.name)])
    return connectInstance(floorplan, instanceName(at), { kind, provider: services.provider })
  }

  for (const path of ofInstances) {
    server.post(
      `${path}/exec`,
      {
        schema: {
          description: 'Runs a command on an instance.',
          params: ByInstance,
          body: ExecRequest,
          response: { 200: ExecResponse },
        },
      },
      async (request) => {
        const connection = await connect(request.params)
        try {
          const { argv, timeoutSeconds } = request.body
          const { exitCode, stdout, stderr } = await connection.exec(argv, { timeoutMs: timeoutSeconds * 1000 })
          return { exitCode, stdout, stderr }
        } finally {
          connection.close()
        }
      },
    )

    server.get(
      `${path}/logs`,
      {
        schema: {
          description: 'The last lines of every log of an instance; with `after` what was written since that answer.',
          params: ByInstance,
          querystring: z.object({
            lines: z.coerce.number().int().positive().max(10_000).default(20),
            after: z.string().optional(),
          }),
          response: { 200: LogsResponse },
        },
      },
      async (request) => {
        const connection = await connect(request.params)
        try {
          const paths = (await kindOf(request.params.name)).logs ?? []
          const { lines, after } = request.query
          return await readLogs(connection, paths, after === undefined ? { lines } : { after: positionsOf(after) })
        } finally {
          connection.close()
        }
      },
    )
  }

  server.get(
    '/v1/locks',
    {
      schema: {
        description: 'Locks of all deployments, or of one, with their holders.',
        querystring: z.object({ deployment: z.string().optional() }),
        response: { 200: z.array(Lock) },
      },
    },
    async (request) =>
      (await overview.locks(request.query.deployment)).map(({ deployment, lock }) => ({
        ...lock,
        resource: `deployment/${deployment}`,
      })),
  )

  server.delete(
    '/v1/locks/:id',
    {
      schema: {
        description: 'Forced unlock, by lock id only: the plan that held it ends at once.',
        params: z.object({ id: z.string() }),
        response: { 200: Lock },
      },
    },
    async (request) => {
      const found = (await overview.locks()).find(({ lock }) => lock.id === request.params.id)
      if (found) {
        const { deployment, lock } = found
        await ledger.cancel(deployment, lock.plan, request.actor, true)
        return { ...lock, resource: `deployment/${deployment}` }
      }
      throw new RemodelError('not-found', `there is no lock ${request.params.id}`)
    },
  )
}

/** An instance with the fields that each kind adds to its own. */
function withFieldsOf(kinds: readonly Kind[]): typeof Instance {
  const fields: typeof Instance.shape = Object.assign({}, Instance.shape, ...kinds.map((kind) => kind.instanceFields))
  return z.object(fields)
}
