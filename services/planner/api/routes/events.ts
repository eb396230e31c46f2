import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { LedgerEvent } from '../../../../shared/ledger/ledger.ts'
import { connectRedis } from '../../../../shared/redis.ts'
import { Event } from '../schema.ts'
import type { Services } from '../services.ts'
import type { Routes } from './routes.ts'

/** How long one read of the stream waits; between two reads the connection is checked and kept alive. */
const waitMs = 5000

/** A deployment's events: a page of them, or a live stream that can be resumed without a gap. */
export function eventRoutes(server: Routes, { ledger }: Services): void {
  server.get(
    '/v1/deployments/:name/events',
    {
      schema: {
        description:
          'Events after `after`. With follow=true or Accept: text/event-stream a live stream (id: seq, data: event), resumed by Last-Event-ID.',
        params: z.object({ name: z.string() }),
        querystring: z.object({
          after: z.coerce.number().int().nonnegative().default(0),
          plan: z.string().optional(),
          limit: z.coerce.number().int().positive().max(10_000).default(1000),
          follow: z.stringbool().default(false),
        }),
        response: { 200: z.array(Event) },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const { plan, limit, follow } = request.query
      const after = Number(request.headers['last-event-id'] ?? request.query.after)
      const live = follow || request.headers.accept?.includes('text/event-stream')
      if (live) return stream(reply, name, after, plan)
      return (await ledger.events(name, after, { limit })).filter(
        (event) => plan === undefined || event.plan === plan,
      ) as Event[]
    },
  )

  async function stream(
    reply: FastifyReply,
    deployment: string,
    start: number,
    plan: string | undefined,
  ): Promise<never> {
    reply.hijack()
    const out = reply.raw
    out.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', connection: 'keep-alive' })
    out.write(': events\n\n')
    // Waiting on a stream blocks its connection, so every listener has one of its own.
    const redis = connectRedis(ledger.settings, 'service')
    let open = true
    out.on('close', () => {
      open = false
      redis.disconnect()
    })
    let after = start
    while (open) {
      let events: LedgerEvent[]
      try {
        events = await ledger.events(deployment, after, { blockMs: waitMs, on: redis })
      } catch {
        break
      }
      if (events.length === 0) out.write(': still here\n\n')
      for (const event of events) {
        after = event.seq
        if (plan === undefined || event.plan === plan) out.write(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`)
      }
    }
    redis.disconnect()
    out.end()
    return undefined as never
  }
}
