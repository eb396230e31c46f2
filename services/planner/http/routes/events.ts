import { once } from 'node:events'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Routes } from '../../../../kinds/contract/routes.ts'
import { Event, type EventFilter } from '../../../../shared/api/schemas/event.ts'
import type { LedgerEvent } from '../../../../shared/ledger/ledger.ts'
import { Reason } from '../../../../shared/model/reason.ts'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { EventFeed } from '../event-feed.ts'
import { eventFilter } from '../event-filter.ts'
import type { Services } from '../services.ts'

/** How long a listener waits for an event before its connection is kept alive with a comment. */
const waitMs = 5000
/** How long a listener may take nothing before its connection is closed. */
const drainMs = 30_000
/** Streams of one planner: each holds a file of the process. */
const mostStreams = 4000

const Code = Reason.shape.code

/** A deployment's events: a page of them, or a live stream that can be resumed without a gap. */
export function eventRoutes(server: Routes, { ledger }: Services): void {
  const feed = new EventFeed(ledger)
  let streams = 0
  server.addHook('onClose', async () => feed.close())
  server.get(
    '/v1/deployments/:name/events',
    {
      schema: {
        description:
          'Events after `after`: those of one plan, of one error (`code`), or of remodels that are in their plan for a reason with the code `reason`. With follow=true or Accept: text/event-stream a live stream (id: seq, data: event), resumed by Last-Event-ID.',
        params: z.object({ name: z.string() }),
        headers: z.looseObject({
          accept: z.string().optional(),
          'last-event-id': z
            .string()
            .regex(/^\d{1,15}$/, 'must be the id of an event: a whole number')
            .optional(),
        }),
        querystring: z.object({
          after: z.coerce.number().int().nonnegative().default(0),
          plan: z.string().optional(),
          code: Code.optional(),
          reason: Code.optional(),
          limit: z.coerce.number().int().positive().max(10_000).default(1000),
          follow: z.stringbool().default(false),
        }),
        response: { 200: z.array(Event) },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const { plan, code, reason, limit, follow } = request.query
      const resumed = z.coerce
        .number()
        .int()
        .nonnegative()
        .safeParse(request.headers['last-event-id'] ?? 0)
      if (!resumed.success) {
        const found = String(request.headers['last-event-id'])
        const fault = { message: 'Last-Event-ID must be the number of an event', found }
        throw new RemodelError('invalid-input', fault.message, { faults: [fault] })
      }
      const after = Math.max(resumed.data, request.query.after)
      const live = follow || request.headers.accept?.includes('text/event-stream')
      const filter = {
        ...(plan === undefined ? {} : { plan }),
        ...(code === undefined ? {} : { code }),
        ...(reason === undefined ? {} : { reason }),
      }
      if (live) return stream(reply, { deployment: name, after, filter })
      return (await pageOf({ deployment: name, after, filter }, limit)) as Event[]
    },
  )

  /** At most `limit` events: less are all that there are. */
  async function pageOf({ deployment, after, filter }: Listening, limit: number): Promise<LedgerEvent[]> {
    const through = eventFilter(ledger, deployment, filter)
    const found: LedgerEvent[] = []
    for (let at = after; ; ) {
      const page = await ledger.events(deployment, at, { limit, plan: filter.plan })
      found.push(...(await through(page)))
      if (page.length < limit || found.length >= limit) return found.slice(0, limit)
      at = page.at(-1)!.seq
    }
  }

  /**
   * Writes only as fast as the listener reads: a connection that takes nothing for half a minute is closed, and its
   * listener resumes with Last-Event-ID.
   */
  async function stream(reply: FastifyReply, listening: Listening): Promise<never> {
    const { deployment, filter } = listening
    const through = eventFilter(ledger, deployment, filter)
    if (streams >= mostStreams) {
      throw new RemodelError('unavailable', `this planner has ${mostStreams} event streams already: try again later`)
    }
    reply.hijack()
    const out = reply.raw
    out.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', connection: 'keep-alive' })
    out.write(': events\n\n')
    const closed = new AbortController()
    out.once('close', () => closed.abort())
    const listener = feed.listen(deployment)
    streams += 1
    let after = listening.after
    try {
      while (!out.destroyed) {
        const events = await listener.next(after, waitMs)
        const shown = await through(events)
        const text = shown.map((event) => `id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`).join('')
        after = events.at(-1)?.seq ?? after
        if (out.write(text === '' ? ': still here\n\n' : text)) continue
        await once(out, 'drain', { signal: AbortSignal.any([closed.signal, AbortSignal.timeout(drainMs)]) })
      }
    } catch {
      // Redis is away, the listener left, or it reads too slowly.
    }
    streams -= 1
    listener.end()
    out.destroy()
    return undefined as never
  }
}

interface Listening {
  deployment: string
  after: number
  filter: EventFilter
}
