import { z } from 'zod'
import { RemodelError } from '../../../../shared/errors.ts'
import { Floorplan, materialType } from '../../../../shared/model/material.ts'
import { suggest } from '../../../../shared/source/document.ts'
import type { Kind } from '../../kinds/kind.ts'
import { connectInstance, instancesOf, readLogs } from '../instances.ts'
import { Deployment, ExecRequest, ExecResponse, Instance, Lock, LogsResponse } from '../schema.ts'
import type { Services } from '../services.ts'
import type { Routes } from './routes.ts'

const ByName = z.object({ name: z.string() })
/** `<group>/<index>` of a deployment, one name of kinds whose instances have one: both are their path. */
const ByInstance = z.object({ name: z.string(), instance: z.string(), index: z.string().optional() })
const ofInstances = ['/v1/deployments/:name/instances/:instance', '/v1/deployments/:name/instances/:instance/:index']
const instanceName = ({ instance, index }: z.infer<typeof ByInstance>) =>
  index === undefined ? instance : `${instance}/${index}`

/** Deployments and what stands in them; locks. */
export function deploymentRoutes(server: Routes, services: Services): void {
  const { ledger } = services

  const describe = async (name: string): Promise<Deployment | null> => {
    const [floorplan, [newest], lock] = await Promise.all([
      ledger.floorplan(name),
      ledger.planIds(name, 1),
      ledger.lock(name),
    ])
    const lastPlan = newest === undefined ? null : await ledger.planRecord(name, newest)
    if (!lastPlan) return null
    const materials: Record<string, number> = {}
    for (const material of floorplan.materials) {
      const type = materialType(material.id)
      materials[type] = (materials[type] ?? 0) + 1
    }
    return {
      name,
      kind: lastPlan.kind,
      materials,
      floorplanVersion: floorplan.version,
      lastPlan,
      lock: lock?.id ?? null,
    }
  }

  const unknown = async (name: string) => {
    const names = await ledger.deployments()
    const { suggestion } = suggest(name, names)
    const near = suggestion ? `; did you mean ${suggestion}?` : ''
    return new RemodelError('not-found', `there is no deployment ${name}${near}`, { details: { deployments: names } })
  }

  const kindOf = async (name: string): Promise<Kind> => {
    const [newest] = await ledger.planIds(name, 1)
    if (newest === undefined) throw await unknown(name)
    return services.kinds.get((await ledger.planRecord(name, newest)).kind)
  }

  server.get(
    '/v1/deployments',
    {
      schema: { description: 'Deployments that stand or are being worked on.', response: { 200: z.array(Deployment) } },
    },
    async () => {
      const all = await Promise.all((await ledger.deployments()).map(describe))
      return all
        .filter((one) => one !== null)
        .filter((one) => one.lock !== null || Object.keys(one.materials).length > 0)
    },
  )

  server.get(
    '/v1/deployments/:name',
    { schema: { description: 'One deployment.', params: ByName, response: { 200: Deployment } } },
    async (request) => {
      const found = await describe(request.params.name)
      if (!found) throw await unknown(request.params.name)
      return found
    },
  )

  server.get(
    '/v1/deployments/:name/floorplan',
    { schema: { description: 'What stands, as recorded.', params: ByName, response: { 200: Floorplan } } },
    async (request) => ledger.floorplan(request.params.name),
  )

  server.get(
    '/v1/deployments/:name/instances',
    {
      schema: {
        description:
          'Instances with the state of their processes, asked of their machines now; of databases with role and lag.',
        params: ByName,
        response: { 200: z.array(Instance) },
      },
    },
    async (request) => {
      const { name } = request.params
      return instancesOf(await ledger.floorplan(name), await kindOf(name), services.provider)
    },
  )

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
        const floorplan = await ledger.floorplan(request.params.name)
        const connection = await connectInstance(floorplan, instanceName(request.params), services.provider)
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
          description: 'The last lines of every log of an instance.',
          params: ByInstance,
          querystring: z.object({ lines: z.coerce.number().int().positive().max(10_000).default(20) }),
          response: { 200: LogsResponse },
        },
      },
      async (request) => {
        const { name } = request.params
        const floorplan = await ledger.floorplan(name)
        const connection = await connectInstance(floorplan, instanceName(request.params), services.provider)
        try {
          const places = (await kindOf(name)).logs ?? []
          return { files: await readLogs(connection, places, request.query.lines) }
        } finally {
          connection.close()
        }
      },
    )
  }

  server.get(
    '/v1/locks',
    { schema: { description: 'Who holds which deployment.', response: { 200: z.array(Lock) } } },
    async () => {
      const names = await ledger.deployments()
      const locks = await Promise.all(names.map(async (name) => ({ name, lock: await ledger.lock(name) })))
      return locks.flatMap(({ name, lock }) => (lock ? [{ ...lock, resource: `deployment/${name}` }] : []))
    },
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
      for (const name of await ledger.deployments()) {
        const lock = await ledger.lock(name)
        if (lock?.id !== request.params.id) continue
        await ledger.cancel(name, lock.plan, `forced unlock of ${lock.id}`, true)
        return { ...lock, resource: `deployment/${name}` }
      }
      throw new RemodelError('not-found', `there is no lock ${request.params.id}`)
    },
  )
}
