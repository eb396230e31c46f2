import { setTimeout } from 'node:timers/promises'
import type { Client } from '../shared/api/client.ts'
import type { Event, EventFilter } from '../shared/api/schemas/event.ts'
import type { PlanView } from '../shared/api/schemas/plan.ts'
import { RemodelError } from '../shared/runtime/errors.ts'

/** How long a lost planner is waited for. A restarted one is back within a second or two. */
const RECONNECT_MS = 60_000
/** After this much silence the planner is asked whether the plan has ended, in case the stream died without a word. */
const SILENCE_MS = 10_000

export interface Watcher {
  event(event: Event): void
  /** The connection was lost; it is being tried again. */
  lost(): void
  found(): void
}

/**
 * A deployment's events in order, each once, from after `after` on, over lost connections, until the signal.
 * Throws `unavailable` where the planner stays away for a minute.
 */
export async function* followEvents(
  client: Client,
  { deployment, ...filter }: { deployment: string; after?: number } & EventFilter,
  watcher: Pick<Watcher, 'lost' | 'found'>,
  signal: AbortSignal,
): AsyncGenerator<Event> {
  let after = filter.after ?? 0
  let lostAt: number | undefined
  let pause = 100
  while (!signal.aborted) {
    try {
      for await (const event of client.stream(deployment, { ...filter, after }, signal)) {
        if (lostAt !== undefined) watcher.found()
        lostAt = undefined
        pause = 100
        if (event.seq <= after) continue
        after = event.seq
        yield event
      }
    } catch (error) {
      if (signal.aborted) return
      if (!isLostConnection(error)) throw error
      if (lostAt === undefined) watcher.lost()
      lostAt ??= Date.now()
      if (Date.now() - lostAt > RECONNECT_MS) throw error
    }
    await setTimeout(pause, undefined, { signal }).catch(() => {})
    pause = Math.min(pause * 2, 2000)
  }
}

/** Follows one plan until it has ended, and answers with how it stands then. Null where the signal came first. */
export async function followPlan(
  client: Client,
  plan: { id: string; deployment: string },
  watcher: Watcher,
  signal: AbortSignal,
): Promise<PlanView | null> {
  const ended = new AbortController()
  let seen = 0
  let heard = Date.now()
  const watch = setInterval(async () => {
    if (Date.now() - heard < SILENCE_MS) return
    heard = Date.now()
    const view = await client.planView(plan.id).catch(() => undefined)
    if (view && isFinal(view.status.state)) ended.abort()
  }, 1000)
  try {
    const stop = AbortSignal.any([signal, ended.signal])
    for await (const event of followEvents(client, { deployment: plan.deployment, plan: plan.id }, watcher, stop)) {
      heard = Date.now()
      seen = event.seq
      watcher.event(event)
      if (isLast(event)) break
    }
    if (signal.aborted) return null
    if (ended.signal.aborted) {
      for (const event of await client.events(plan.deployment, { after: seen, plan: plan.id })) watcher.event(event)
    }
    return await client.planView(plan.id)
  } finally {
    clearInterval(watch)
  }
}

export function isFinal(state: string): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled'
}

function isLast(event: Event): boolean {
  return event.type === 'plan.done' || event.type === 'plan.failed' || event.type === 'plan.cancelled'
}

function isLostConnection(error: unknown): boolean {
  if (error instanceof RemodelError) return error.code === 'unavailable' || error.code === 'deadline'
  return error instanceof Error && 'code' in error
}
