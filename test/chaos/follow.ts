import { Redis } from 'ioredis'
import { eventOf } from '../../shared/ledger/events.ts'
import { baseKey } from '../../shared/ledger/keys.ts'
import type { Ledger, LedgerEvent } from '../../shared/ledger/ledger.ts'
import { everyEvent } from './oracles.ts'

/** Ends of a plan, as events. */
const planEnds = new Set(['plan.done', 'plan.failed', 'plan.cancelled'])
const remodelEnds = new Set(['remodel.done', 'remodel.failed', 'remodel.retried', 'remodel.skipped'])

interface Running {
  deployment: string
  plan: string
  remodel: string
  worker: string
}

/** Something that a fault stopped: the time from the fault until the ledger shows that it goes on. */
interface Wound {
  kind: string
  since: number
  deployment: string
  plan: string
  /** The remodel that was in the hands of the worker; undefined where the whole plan was hit. */
  remodel?: string
  /** `compiler` or `assembler`, where a worker was hit. */
  service?: string
}

export interface HealSample {
  kind: string
  ms: number
}

/**
 * Follows every deployment's events straight at Redis, past the proxies, and knows from them what runs where. Of each
 * fault it keeps the wounds (see README.md, healSecondsP95) and when they healed, both by this machine's clock.
 */
export class Follower {
  readonly history = new Map<string, LedgerEvent[]>()
  readonly healed: HealSample[] = []
  /** Events that were seen and that a truncated AOF took back. */
  rolledBack = 0
  readonly #url: string
  readonly #plans = new Map<string, { deployment: string; plan: string }>()
  readonly #running = new Map<string, Running>()
  readonly #redis: Redis[] = []
  #wounds: Wound[] = []
  #closed = false

  constructor(url: string) {
    this.#url = url
  }

  follow(deployment: string): void {
    this.history.set(deployment, [])
    // A stream that is waited for blocks its connection.
    const redis = new Redis(this.#url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
    redis.on('error', () => {})
    this.#redis.push(redis)
    void this.#loop(deployment, redis)
  }

  close(): void {
    this.#closed = true
    for (const redis of this.#redis) redis.disconnect()
  }

  /** True where this worker has running work. */
  isBusy(worker: string | null): boolean {
    return [...this.#running.values()].some((running) => running.worker === worker)
  }

  /** A fault that hits one worker: wounds every remodel that the worker is carrying out. */
  hitWorker(kind: string, worker: string | null): void {
    const service = worker?.split('-')[0] ?? ''
    this.#reopen(kind, (wound) => wound.service === undefined || wound.service === service)
    for (const { deployment, plan, remodel, worker: holder } of this.#running.values())
      if (holder === worker) this.#wound({ kind, since: Date.now(), deployment, plan, remodel, service })
  }

  /** A fault that hits what all share (Redis, queues, a planner): wounds every running plan. */
  hitAll(kind: string): void {
    this.#reopen(kind, () => true)
    for (const { deployment, plan } of this.#plans.values()) this.#wound({ kind, since: Date.now(), deployment, plan })
  }

  /** A fault that hits one deployment. */
  hitDeployment(kind: string, name: string): void {
    this.#reopen(kind, (wound) => wound.deployment === name)
    for (const { deployment, plan } of this.#plans.values())
      if (deployment === name) this.#wound({ kind, since: Date.now(), deployment, plan })
  }

  /** Wounds that are open still, by kind. */
  open(): string[] {
    return this.#wounds.map((wound) => wound.kind)
  }

  /** Redis has come back with less: forgets what it no longer knows, or knows otherwise. */
  async afterRollback(ledger: Ledger): Promise<void> {
    for (const [deployment, events] of this.history) {
      const now = await everyEvent(ledger, deployment)
      const first = events.findIndex((event, i) => JSON.stringify(now[i]) !== JSON.stringify(event))
      if (first < 0) continue
      this.rolledBack += events.length - first
      events.splice(first)
      this.#retrace(deployment, events)
    }
  }

  /** What runs is what the events that are left say: a plan that was never applied does not go on. */
  #retrace(deployment: string, events: readonly LedgerEvent[]): void {
    for (const [plan, running] of this.#plans) if (running.deployment === deployment) this.#plans.delete(plan)
    for (const [key, running] of this.#running) if (running.deployment === deployment) this.#running.delete(key)
    for (const event of events) this.#track(deployment, event)
    this.#wounds = this.#wounds.filter((wound) => wound.deployment !== deployment || this.#plans.has(wound.plan))
  }

  /** Who is hit again before he has recovered begins anew: only the last fault counts. */
  #reopen(kind: string, hit: (wound: Wound) => boolean): void {
    for (const wound of this.#wounds) if (hit(wound)) Object.assign(wound, { kind, since: Date.now() })
  }

  #wound(wound: Wound): void {
    const same = this.#wounds.some((one) => one.plan === wound.plan && one.remodel === wound.remodel)
    if (!same) this.#wounds.push(wound)
  }

  async #loop(deployment: string, redis: Redis): Promise<void> {
    const stream = `${baseKey('remodel', deployment)}:events`
    const events = this.history.get(deployment)!
    while (!this.#closed) {
      try {
        const after = events.at(-1)?.seq ?? 0
        const reply = await redis.xread('COUNT', 1000, 'BLOCK', 300, 'STREAMS', stream, `${after}-0`)
        // What was asked for before a rollback would leave a gap behind what is left.
        if (after !== (events.at(-1)?.seq ?? 0)) continue
        for (const [, fields] of reply?.[0]?.[1] ?? []) {
          const event = eventOf(fields[1]!)
          if (event.seq <= (events.at(-1)?.seq ?? 0)) continue
          events.push(event)
          this.#see(deployment, event)
        }
      } catch {
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  #track(deployment: string, event: LedgerEvent): void {
    const { plan, remodel, type } = event
    const key = `${deployment} ${plan} ${remodel ?? ''}`
    if (type === 'plan.started') this.#plans.set(plan, { deployment, plan })
    if (planEnds.has(type)) {
      this.#plans.delete(plan)
      for (const [name, running] of this.#running) if (running.plan === plan) this.#running.delete(name)
    }
    if (type === 'remodel.started' && remodel !== undefined)
      this.#running.set(key, { deployment, plan, remodel, worker: event.worker ?? '' })
    if (remodelEnds.has(type)) this.#running.delete(key)
  }

  #see(deployment: string, event: LedgerEvent): void {
    const { plan, remodel, type } = event
    this.#track(deployment, event)
    // Where the clock of Redis was set, the time at which the event is read here counts.
    const at = Math.abs(Date.now() - event.at) < 60_000 ? event.at : Date.now()
    this.#wounds = this.#wounds.filter((wound) => {
      if (wound.deployment !== deployment || wound.plan !== plan) return true
      const over = planEnds.has(type)
      const goesOn = wound.remodel === undefined ? true : wound.remodel === remodel && type !== 'remodel.progress'
      if (at < wound.since) return !over && !(wound.remodel !== undefined && goesOn)
      if (!over && !goesOn) return true
      this.healed.push({ kind: wound.kind, ms: at - wound.since })
      return false
    })
  }
}
