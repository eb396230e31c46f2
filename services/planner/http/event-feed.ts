import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { eventOf } from '../../../shared/ledger/events.ts'
import type { Ledger, LedgerEvent } from '../../../shared/ledger/ledger.ts'
import { connectRedis } from '../../../shared/runtime/redis.ts'

/** Events that a listener is given at once: what a slow one makes the planner hold. */
const pageSize = 200
/** The newest events of a deployment that are kept for its listeners. */
const keptEvents = 1000
/** How long one read waits at most before it looks which deployments are listened to. */
const blockMs = 1000
/** Pause after a read that Redis refused. */
const pauseMs = 500

/**
 * A deployment with listeners. `events` are its newest, without a gap; `last` is unknown until one
 * listener has seen all.
 */
interface Followed {
  listeners: number
  last: number | undefined
  events: LedgerEvent[]
  waiting: Set<() => void>
}

/** One listener to the events of one deployment. */
export interface Listener {
  /**
   * At most 200 events after `after`; where there are none, waits up to `waitMs` for the first and may answer with
   * none.
   */
  next(after: number, waitMs: number): Promise<LedgerEvent[]>
  end(): void
}

/**
 * The events of all deployments that are listened to, for any number of listeners.
 *
 * Waiting on a stream blocks its connection, so there is one connection that waits for all of them. A listener
 * reads pages of the past by itself; once it has seen all, it is handed what the reader kept. One that falls
 * behind reads pages again.
 */
export class EventFeed {
  readonly #ledger: Ledger
  readonly #followed = new Map<string, Followed>()
  #redis: Redis | undefined
  #connection: number | undefined
  #reading = false
  #closed = false

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  listen(deployment: string): Listener {
    const followed = this.#followed.get(deployment) ?? {
      listeners: 0,
      last: undefined,
      events: [],
      waiting: new Set(),
    }
    followed.listeners += 1
    this.#followed.set(deployment, followed)
    return {
      next: (after, waitMs) => this.#next(deployment, followed, after, waitMs),
      end: () => {
        followed.listeners -= 1
        if (followed.listeners === 0) this.#followed.delete(deployment)
      },
    }
  }

  close(): void {
    this.#closed = true
    this.#redis?.disconnect()
    for (const followed of this.#followed.values()) wakeAll(followed)
  }

  async #next(deployment: string, followed: Followed, after: number, waitMs: number): Promise<LedgerEvent[]> {
    const kept = keptAfter(followed, after)
    if (kept !== undefined && kept.length > 0) return kept
    if (kept === undefined) {
      const page = await this.#ledger.events(deployment, after, { limit: pageSize })
      if (page.length > 0) return page
      if (followed.last === undefined) {
        followed.last = after
        void this.#read()
      }
    }
    if (this.#closed) return []
    if ((followed.last ?? 0) <= after) await woken(followed, waitMs)
    return keptAfter(followed, after) ?? []
  }

  /** Reads while a deployment is listened to; where a read waits already, it is made to look again. */
  async #read(): Promise<void> {
    if (this.#reading) {
      if (this.#connection !== undefined) await this.#ledger.redis.client('UNBLOCK', this.#connection).catch(() => {})
      return
    }
    this.#reading = true
    this.#redis ??= this.#connect()
    const redis = this.#redis
    while (!this.#closed) {
      const known = [...this.#followed].flatMap(([name, { last }]) => (last === undefined ? [] : [{ name, last }]))
      if (known.length === 0) break
      const keys = known.map(({ name }) => `${this.#ledger.base(name)}:events`)
      try {
        // Asked first: behind a read that waits it would be answered too late.
        this.#connection ??= await redis.client('ID')
        const from = known.map(({ last }) => `${last}-0`)
        const reply = await redis.xread('COUNT', keptEvents, 'BLOCK', blockMs, 'STREAMS', ...keys, ...from)
        for (const [key, entries] of reply ?? []) {
          const followed = this.#followed.get(known[keys.indexOf(key)]!.name)
          if (followed)
            take(
              followed,
              entries.map(([, fields]) => eventOf(fields[1]!)),
            )
        }
      } catch {
        await sleep(pauseMs)
      }
    }
    this.#reading = false
  }

  #connect(): Redis {
    const redis = connectRedis(this.#ledger.settings, 'service')
    redis.on('close', () => {
      this.#connection = undefined
    })
    return redis
  }
}

/** The kept events after `after`; none where it has seen all; undefined where they do not go back so far. */
function keptAfter({ last, events }: Followed, after: number): LedgerEvent[] | undefined {
  if (last === undefined) return undefined
  const index = after - (last - events.length)
  return index < 0 ? undefined : events.slice(index, index + pageSize)
}

function take(followed: Followed, events: LedgerEvent[]): void {
  const first = events[0]
  if (!first) return
  const goesOn = first.seq === (followed.last ?? 0) + 1
  followed.events = [...(goesOn ? followed.events : []), ...events].slice(-keptEvents)
  followed.last = events.at(-1)!.seq
  wakeAll(followed)
}

function woken(followed: Followed, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer)
      followed.waiting.delete(wake)
      resolve()
    }
    const timer = setTimeout(wake, waitMs)
    followed.waiting.add(wake)
  })
}

function wakeAll({ waiting }: Followed): void {
  for (const wake of [...waiting]) wake()
}
