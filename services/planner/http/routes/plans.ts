import { z } from 'zod'
import type { RouteParts, Routes } from '../../../../kinds/contract/routes.ts'
import { ApplyRequest, PlanStatus, PlanView, RequestId, Why } from '../../../../shared/api/schemas/plan.ts'
import { compiledFor } from '../../../../shared/compilation/phrase.ts'
import { CompileSpec } from '../../../../shared/compilation/spec.ts'
import { Overview } from '../../../../shared/ledger/overview.ts'
import { optionsWith, orderWith } from '../../../../shared/model/order.ts'
import type { RemodelState } from '../../../../shared/model/plan.ts'
import { workerFor } from '../../../../shared/queue/known-steps.ts'
import { Heartbeat } from '../../../../shared/runtime/heartbeat.ts'
import { CompilingNow } from '../../catalog/compiling.ts'
import type { Planning } from '../../planning/planning.ts'
import type { Services } from '../services.ts'

const ById = z.object({ id: z.string() })

/** Plans: draw, look at, apply, cancel, approve. Answers with what draws the plan of an action, for routes of kinds. */
export function planRoutes(server: Routes, { planning, ledger, kinds }: Services): Pick<RouteParts, 'drawAction'> {
  const now = new CompilingNow(ledger, kinds)
  const overview = new Overview(ledger)
  const options: z.ZodRawShape = Object.assign({}, ...kinds.all.map((kind) => kind.options?.shape))
  const heartbeat = new Heartbeat(ledger.redis, ledger.settings, 'planner')
  const view = async (deployment: string, id: string): Promise<PlanView> => {
    const [plan, status, remodels] = await Promise.all([
      ledger.plan(deployment, id),
      ledger.planRecord(deployment, id),
      ledger.remodelRecords(deployment, id),
    ])
    const over = status.finishedAt !== null
    return { plan, status, remodels, compiling: over ? null : await now.read(plan, remodels) }
  }

  /** A package that is being compiled for another plan waits for that. */
  const elsewhere = async (deployment: string, id: string, remodel: string, state: RemodelState) => {
    if (state !== 'released' && state !== 'running') return undefined
    const { step, input } = await ledger.remodel(deployment, id, remodel)
    if (step !== 'compile-package') return undefined
    const { key, name } = CompileSpec.parse(input)
    const work = (await now.of([key])).get(key)
    if (!work || work.plan === id) return undefined
    return [`${name}: ${compiledFor(work.deployment, work.since === null ? null : Date.now() - work.since)}`]
  }

  /** Work that is on its queue, and that no living worker of it knows. */
  const unknown = async (deployment: string, id: string, remodel: string, state: RemodelState) => {
    if (state !== 'released') return undefined
    const [asked, { kind }] = await Promise.all([
      ledger.remodel(deployment, id, remodel),
      ledger.planRecord(deployment, id),
    ])
    if (asked.queue === 'compile') return undefined
    const { living, knowing } = await heartbeat.knowing(kind, asked)
    if (living === 0 || knowing > 0) return undefined
    return [`${workerFor(kind, asked)}: none of the ${living} that live does`]
  }

  server.post(
    '/v1/plans',
    {
      schema: {
        description: 'Draws a plan and stores it; changes nothing else. 422 with all faults.',
        body: orderWith(options),
        response: { 201: PlanView },
      },
    },
    async (request, reply) => {
      const plan = await planning.plan(request.body)
      return reply.status(201).send(await view(plan.deployment, plan.id))
    },
  )

  server.post(
    '/v1/deployments/:name/removal',
    {
      schema: {
        description: 'Draws the plan that takes a deployment away.',
        params: z.object({ name: z.string() }),
        querystring: z.object({ skip_drain: z.stringbool().default(false) }),
        response: { 201: PlanView },
      },
    },
    async (request, reply) => {
      const plan = await planning.planRemoval(request.params.name, { skipDrain: request.query.skip_drain })
      return reply.status(201).send(await view(plan.deployment, plan.id))
    },
  )

  server.post(
    '/v1/deployments/:name/rollback',
    {
      schema: {
        description:
          'Draws the plan for an earlier order of the deployment: for version `to`, by default for the one before the newest that ended well. 404 where that version, or a release that it used, is gone; 409 where no earlier version is known to have ended well.',
        params: z.object({ name: z.string() }),
        body: z.strictObject({ to: z.int().positive().optional(), options: optionsWith(options) }),
        response: { 201: PlanView },
      },
    },
    async ({ params: { name }, body: { to, options } }, reply) => {
      const plan = await planning.planRollback(name, to, options)
      return reply.status(201).send(await view(plan.deployment, plan.id))
    },
  )

  const drawAction: RouteParts['drawAction'] = async (deployment, action, input) => {
    const plan = await planning.planAction(deployment, action, input)
    return view(plan.deployment, plan.id)
  }

  server.post(
    '/v1/deployments/:name/actions/:action',
    {
      schema: {
        description:
          'Draws a plan of one of the actions of its kind, from the floorplan that the inspector has just read. 404 for a part that the deployment does not have, 409 for an action that its kind does not have, or cannot do now.',
        params: z.object({ name: z.string(), action: z.string() }),
        body: z.unknown(),
        response: { 201: PlanView },
      },
    },
    async ({ params: { name, action }, body }, reply) => reply.status(201).send(await drawAction(name, action, body)),
  )

  server.get(
    '/v1/plans',
    {
      schema: {
        description: 'Plans, newest first.',
        querystring: z.object({
          deployment: z.string().optional(),
          limit: z.coerce.number().int().positive().max(10_000).default(50),
        }),
        response: { 200: z.array(PlanStatus) },
      },
    },
    async (request) => {
      const { deployment, limit } = request.query
      return overview.plans(limit, deployment)
    },
  )

  server.get(
    '/v1/plans/:id',
    { schema: { description: 'A plan and its state.', params: ById, response: { 200: PlanView } } },
    async (request) => view(await ledger.deploymentOfPlan(request.params.id), request.params.id),
  )

  server.post(
    '/v1/plans/:id/apply',
    {
      schema: {
        description: 'Carries out a stored plan, exactly as stored. 409 floorplan-moved, claimed, locked or conflict.',
        params: ById,
        body: ApplyRequest,
        response: { 202: PlanStatus },
      },
    },
    async ({ params, body, actor }, reply) =>
      reply.status(202).send(await planning.apply(params.id, { ...lockOf(body), by: actor })),
  )

  server.post(
    '/v1/plans/:id/cancel',
    {
      schema: {
        description: 'Nothing but cleanup starts any more; running work is asked to stop.',
        params: ById,
        response: { 202: PlanStatus },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const deployment = await ledger.deploymentOfPlan(id)
      await ledger.cancel(deployment, id, request.actor)
      return reply.status(202).send(await ledger.planRecord(deployment, id))
    },
  )

  server.post(
    '/v1/plans/:id/approvals',
    {
      schema: {
        description: 'Approves or refuses a remodel that waits for a person. 409 where it does not wait.',
        params: ById,
        body: z.strictObject({
          id: RequestId.optional(),
          remodel: z.string(),
          approve: z.boolean(),
        }),
        response: { 200: PlanStatus },
      },
    },
    async (request) => {
      const { id } = request.params
      const deployment = await ledger.deploymentOfPlan(id)
      const { id: named, ...answer } = request.body
      const decision = { ...answer, by: request.actor }
      await ledger.decide(deployment, id, named === undefined ? decision : { ...decision, id: named })
      return ledger.planRecord(deployment, id)
    },
  )

  server.get(
    '/v1/plans/:id/why',
    {
      schema: {
        description: 'What a remodel waits for; empty where it runs or is settled.',
        params: ById,
        querystring: z.object({ remodel: z.string() }),
        response: { 200: Why },
      },
    },
    async (request) => {
      const { id } = request.params
      const { remodel } = request.query
      const deployment = await ledger.deploymentOfPlan(id)
      const [why, { parked }] = await Promise.all([
        ledger.waitsFor(deployment, id, remodel),
        ledger.planRecord(deployment, id),
      ])
      const at = [deployment, id, remodel, why.state] as const
      return { remodel, ...why, waitsFor: (await elsewhere(...at)) ?? (await unknown(...at)) ?? why.waitsFor, parked }
    },
  )
  return { drawAction }
}

/** A lock that is asked for under an id is taken once, however often the request comes. */
function lockOf({ id, ...lock }: z.output<typeof ApplyRequest>): Omit<Parameters<Planning['apply']>[1], 'by'> {
  return id === undefined ? lock : { ...lock, id }
}
