import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import { z } from 'zod'
import type { Routes } from '../../../../kinds/contract/routes.ts'
import { phrasesOf } from '../../../../kinds/phrases.ts'
import type { KindRegistry } from '../../../../kinds/registry.ts'
import { BoardKey } from '../../../../shared/api/schemas/board.ts'
import type { Ledger } from '../../../../shared/ledger/ledger.ts'
import { Overview } from '../../../../shared/ledger/overview.ts'
import { payloads, type QueueName } from '../../../../shared/queue/payloads.ts'
import type { Queues } from '../../../../shared/queue/queues.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import type { Heartbeat } from '../../../../shared/runtime/heartbeat.ts'
import { maskOrder, OrdersAdapter } from './orders.ts'
import { planPage, plansPage } from './plan-page.ts'
import type { BoardVisits } from './visits.ts'

const about: Record<QueueName, string> = {
  deploys: 'Requests for a deploy: planned and applied by a planner; values that may be secrets are not shown',
  compile: 'Packages to compile: one job for each package key, for all plans that need it',
  rebuild: 'Packages that are compiled a second time, to see whether the same comes out',
  assemble: 'Remodels that are ready, and those that a worker took along; the ledger knows the order',
}

interface BoardParts {
  queues: Queues
  ledger: Ledger
  kinds: KindRegistry
  heartbeat: Pick<Heartbeat, 'served'>
}

/**
 * Bull Board over Remodel's queues, read-only: the ledger decides what runs, so jobs are not
 * retried or removed by hand.
 */
export async function mountBoard(server: Routes, parts: BoardParts, visits: BoardVisits): Promise<void> {
  const { queues, heartbeat } = parts
  const readable = parts.kinds.all.flatMap((kind) => kind.readable ?? [])
  const adapter = new FastifyAdapter()
  adapter.setBasePath('/board')
  const adapterOf = (name: QueueName | `assemble-${string}`) => {
    const description =
      name in about ? about[name as QueueName] : `Remodels of the site ${name.slice('assemble-'.length)}`
    const options = { readOnlyMode: true, description, externalJobUrl: planOf }
    if (name !== 'deploys') return new BullMQAdapter(queues.get(name), options)
    const orders = new OrdersAdapter(queues.get(name), options)
    orders.setFormatter('data', (order) => maskOrder(order, readable))
    return orders
  }
  const shown = new Set<string>(Object.keys(payloads))
  const { addQueue } = createBullBoard({
    queues: (Object.keys(payloads) as QueueName[]).map(adapterOf),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Remodel' } },
  })
  await server.register(
    async (board) => {
      // The page asks another server for its fonts; with those of the computer it looks nearly the same.
      board.addHook('onSend', async (_request, _reply, payload) =>
        typeof payload === 'string' ? payload.replace(/<link\b[^>]*\bhref="https?:[^>]*>/g, '') : payload,
      )
      // A site has a queue of its own, which is there when a worker of it has begun.
      board.addHook('onRequest', async () => {
        for (const name of await heartbeat.served().catch(() => [])) {
          if (shown.has(name) || !isSite(name)) continue
          shown.add(name)
          addQueue(adapterOf(name))
        }
      })
      await board.register(adapter.registerPlugin())
    },
    { prefix: '/board' },
  )
  entrance(server, visits)
  plans(server, parts)
}

function isSite(name: string): name is `assemble-${string}` {
  return name.startsWith('assemble-')
}

/** The plan that a job belongs to, or that an order led to; all plans where it has none. */
function planOf({ data, returnvalue }: { data: unknown; returnvalue?: unknown }) {
  const plan = [data, returnvalue].map((one) => Object(one).plan).find((one) => typeof one === 'string')
  if (plan === undefined) return { displayText: 'Plans', href: '/board/plans' }
  return { displayText: 'Plan', href: `/board/plans/${encodeURIComponent(plan)}` }
}

/** By their own names, and each newest one by the key of its package. */
async function compileJobs(queues: Queues): Promise<(key: string) => string | undefined> {
  const jobs = await queues.get('compile').getJobs(['active', 'completed', 'failed'], 0, 499)
  const found = new Map<string, string>()
  for (const { id = '', data } of jobs) {
    found.set(id, id)
    if (typeof data?.key === 'string' && id.startsWith(`${data.key}.`) && !found.has(data.key)) found.set(data.key, id)
  }
  return (key) => found.get(key)
}

function plans(server: Routes, { ledger, queues }: BoardParts): void {
  const overview = new Overview(ledger)
  server.get('/board/plans', { schema: { hide: true } }, async (_request, reply) =>
    reply
      .header('cache-control', 'no-store')
      .type('text/html; charset=utf-8')
      .send(plansPage(await overview.plans(100))),
  )
  server.get(
    '/board/plans/:id',
    {
      schema: {
        hide: true,
        params: z.object({ id: z.string() }),
        querystring: z.object({ reason: z.string().optional() }),
      },
    },
    async ({ params: { id }, query: { reason } }, reply) => {
      const deployment = await ledger.deploymentOfPlan(id)
      const [plan, status, records] = await Promise.all([
        ledger.plan(deployment, id),
        ledger.planRecord(deployment, id),
        ledger.remodelRecords(deployment, id),
      ])
      const [jobOf, say] = [await compileJobs(queues), await phrasesOf(plan.kind)]
      const page = planPage({ plan, status, records, jobOf, say, reason })
      return reply.header('cache-control', 'no-store').type('text/html; charset=utf-8').send(page)
    },
  )
}

function entrance(server: Routes, visits: BoardVisits): void {
  server.post(
    '/v1/board-keys',
    {
      schema: {
        description: 'A key that opens the board in a browser, once, within two minutes.',
        response: { 201: BoardKey },
      },
    },
    async (_request, reply) => {
      const key = visits.key()
      if (key === undefined)
        throw new RemodelError('unsupported', 'this planner has no token, so no browser can come in')
      return reply.status(201).send({ path: `/board/enter?key=${key}` })
    },
  )
  server.get(
    '/board/enter',
    // A look ahead (HEAD) must not use the key up.
    { exposeHeadRoute: false, schema: { hide: true, querystring: z.object({ key: z.string().max(100) }) } },
    async (request, reply) => {
      const cookie = visits.enter(request.query.key)
      if (cookie === undefined)
        throw new RemodelError(
          'unauthenticated',
          'this link was used or is too old: `remodel board` prints another one',
        )
      // A page and no redirect: behind a link from elsewhere a redirect would not be sent the cookie (SameSite=Strict).
      return reply
        .header('set-cookie', cookie)
        .header('cache-control', 'no-store')
        .type('text/html; charset=utf-8')
        .send(
          '<!doctype html><meta http-equiv="refresh" content="0;url=/board"><title>Remodel</title><a href="/board">The board</a>',
        )
    },
  )
}
