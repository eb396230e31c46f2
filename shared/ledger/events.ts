import type { Redis } from 'ioredis'
import { run } from './pipeline.ts'
import type { LedgerReader } from './reader.ts'
import type { LedgerEvent } from './records.ts'

export interface EventOptions {
  limit?: number
  plan?: string | undefined
  blockMs?: number
  /** A connection of its own, where the wait is not to hold up others. */
  on?: Redis
}

type Plans = Pick<LedgerReader, 'redis' | 'base' | 'history'>

/** See `LedgerReader.events`. */
export async function readEvents(
  plans: Plans,
  deployment: string,
  after: number,
  options: EventOptions,
): Promise<LedgerEvent[]> {
  const { limit = 1000, plan } = options
  const found: LedgerEvent[] = []
  let [at, last] = [after, Number.POSITIVE_INFINITY]
  if (plan !== undefined) {
    const known = await plans.redis.hmget(`${plans.base(deployment)}:plan:${plan}`, 'firstEvent', 'lastEvent')
    if (known[0] === null) return []
    at = Math.max(after, Number(known[0]) - 1)
    last = Number(known[1] ?? last)
  }
  while (found.length < limit && at < last) {
    const page = await pageOf(plans, deployment, at, { ...options, count: limit, wait: found.length === 0 })
    if (page.length === 0) break
    found.push(...page.filter((event) => plan === undefined || event.plan === plan))
    at = page.at(-1)!.seq
  }
  return found.slice(0, limit)
}

/** The next events, wherever they lie: of one plan that was moved, or from Redis. */
async function pageOf(
  plans: Plans,
  deployment: string,
  after: number,
  { count, wait, blockMs, on = plans.redis }: { count: number; wait: boolean; blockMs?: number; on?: Redis },
): Promise<LedgerEvent[]> {
  const moved = await movedEvents(plans, deployment, after, count)
  if (moved.length > 0) return moved
  const stream = `${plans.base(deployment)}:events`
  const reply =
    wait && blockMs
      ? await on.xread('COUNT', count, 'BLOCK', blockMs, 'STREAMS', stream, `${after}-0`)
      : await on.xread('COUNT', count, 'STREAMS', stream, `${after}-0`)
  const events = (reply?.[0]?.[1] ?? []).map(([, fields]) => eventOf(fields[1]!))
  if (events[0]?.seq === after + 1) return events
  // Where the first one is not the next, a plan may have been moved between the two looks: its events come first.
  const passed = await movedEvents(plans, deployment, after, count)
  return passed.length > 0 && passed[0]!.seq < (events[0]?.seq ?? Number.POSITIVE_INFINITY) ? passed : events
}

/** Events of plans that lie in the blobstore; empty where all after `after` are in Redis. */
async function movedEvents(plans: Plans, deployment: string, after: number, limit: number): Promise<LedgerEvent[]> {
  const { redis, history } = plans
  if (!history) return []
  const base = plans.base(deployment)
  if (after >= Number((await redis.hget(`${base}:meta`, 'trimmed')) ?? 0)) return []
  const ids = await redis.zrange(`${base}:plans`, '0', '-1')
  const pipeline = redis.pipeline()
  for (const id of ids) pipeline.hmget(`${base}:plan:${id}`, 'blob', 'firstEvent', 'lastEvent')
  const moved = (await run<(string | null)[][]>(pipeline))
    .flatMap(([blob, first, last]) => (blob && first && Number(last) > after ? [{ blob, first: Number(first) }] : []))
    .sort((a, b) => a.first - b.first)
  for (const { blob } of moved) {
    const events = (await history.read(blob)).events.filter(({ seq }) => seq > after)
    if (events.length > 0) return events.slice(0, limit)
  }
  return []
}

/** An entry of a stream of events. Fences leave a script as text: they have more digits than its JSON would keep. */
export function eventOf(text: string): LedgerEvent {
  const { fence, ...event } = JSON.parse(text)
  return fence === undefined ? event : { ...event, fence: Number(fence) }
}
