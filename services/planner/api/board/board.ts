import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import { z } from 'zod'
import { RemodelError } from '../../../../shared/errors.ts'
import { catalog, type QueueName } from '../../../../shared/queue/catalog.ts'
import type { Queues } from '../../../../shared/queue/queues.ts'
import type { Routes } from '../routes/routes.ts'
import { BoardKey } from '../schema.ts'
import { maskOrder, OrdersAdapter } from './orders.ts'
import type { BoardVisits } from './visits.ts'

const about: Record<QueueName, string> = {
  deploys: 'Deploys somebody asked for: planned and applied by a planner; values that may be secrets are not shown',
  compile: 'Packages to compile: one job for each package key, whoever needs it',
  rebuild: 'Packages that are compiled a second time, to see whether the same comes out',
  assemble: 'Remodels that are ready; a job may go on to further ones of its plan; the ledger knows the order',
}

/** Bull Board over Remodel's queues, read-only: the ledger decides what runs, so jobs are not retried or removed by hand. */
export async function mountBoard(server: Routes, { queues }: { queues: Queues }, visits: BoardVisits): Promise<void> {
  const adapter = new FastifyAdapter()
  adapter.setBasePath('/board')
  createBullBoard({
    queues: (Object.keys(catalog) as QueueName[]).map((name) => {
      const options = { readOnlyMode: true, description: about[name] }
      if (name !== 'deploys') return new BullMQAdapter(queues.get(name), options)
      const orders = new OrdersAdapter(queues.get(name), options)
      orders.setFormatter('data', maskOrder)
      return orders
    }),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Remodel' } },
  })
  await server.register(
    async (board) => {
      // The page asks another server for its fonts; with those of the computer it looks nearly the same.
      board.addHook('onSend', async (_request, _reply, payload) =>
        typeof payload === 'string' ? payload.replace(/<link\b[^>]*\bhref="https?:[^>]*>/g, '') : payload,
      )
      await board.register(adapter.registerPlugin())
    },
    { prefix: '/board' },
  )
  entrance(server, visits)
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
