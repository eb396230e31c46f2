import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { z } from 'zod'
import { deploymentOf, releasedChannel } from '../../../shared/ledger/keys.ts'
import type { Ledger, Released } from '../../../shared/ledger/ledger.ts'
import type { StrandedJobs } from '../../../shared/queue/stranded.ts'
import { listen } from '../../../shared/runtime/channel.ts'
import type { Division } from '../../../shared/runtime/division.ts'
import { toError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { type Loop, startLoop } from '../../../shared/runtime/loop.ts'
import type { AbandonedJobs } from './abandoned.ts'
import { Allowances } from './allowances.ts'
import { DeploymentClocks } from './clocks.ts'
import type { Publisher } from './publish.ts'
import { endAttempts, publishMissing, type SweepParts } from './sweep.ts'
import type { Workers } from './workers.ts'

/** How often the ledger is looked over for work that got lost between two processes. */
const sweepMs = 500
/** Every how many sweeps deployments that fall to others are looked at as well: each five seconds. */
const foreignSweeps = 10
/** Every how many sweeps all deployments are looked at, not only those that are listed as active: each ten seconds. */
const recallSweeps = 20
/** Every how many sweeps plans are looked over for what waits for nothing any more: each thirty seconds. */
const mendSweeps = 60
/** Published work that no worker claimed for this long may have missed its queue: its job is looked for. */
const overdueMs = 1500
/**
 * What the scripts of the ledger announce (`outlet.lua`): work to publish, and whether there is
 * more to do, now or later.
 */
const Announcement = z.object({
  base: z.string(),
  plan: z.string(),
  released: z.array(z.custom<Released>((item) => typeof item === 'object')).default([]),
  more: z.boolean(),
  due: z.number().optional(),
})

/**
 * Puts released work on queues and looks after deadlines.
 *
 * The scripts of the ledger announce what may be published; the planner that the deployment falls to publishes it at
 * once, and asks for more where there is more. An announcement can be missed (a planner that died, a connection that
 * broke), so every planner also sweeps. The ledger alone says what is ready, so nothing here needs to be remembered,
 * and any queue may be flushed at any time.
 */
export class Dispatcher {
  readonly #ledger: Ledger
  readonly #planners: Division
  readonly #subscriber: Redis
  readonly #abandoned: Pick<AbandonedJobs, 'free'>
  readonly #log: Logger
  readonly #parts: SweepParts
  readonly #allowances: Allowances
  readonly #clocks: DeploymentClocks
  /** Deployments whose plan is being advanced -> whether it was asked for again meanwhile. */
  readonly #advancing = new Map<string, boolean>()
  readonly #due = new Map<string, NodeJS.Timeout>()
  #loop: Loop | undefined
  #stopped = false
  #sweeps = 0

  constructor(parts: {
    ledger: Ledger
    publisher: Publisher
    planners: Division
    subscriber: Redis
    log: Logger
    stranded: Pick<StrandedJobs, 'clear'>
    workers: Workers
    abandoned: Pick<AbandonedJobs, 'free'>
  }) {
    const { ledger, publisher, stranded } = parts
    this.#ledger = ledger
    this.#planners = parts.planners
    this.#subscriber = parts.subscriber
    this.#abandoned = parts.abandoned
    this.#log = parts.log
    this.#parts = { ledger, publisher, stranded, workers: parts.workers }
    this.#clocks = new DeploymentClocks(ledger, parts.log)
    this.#allowances = new Allowances(ledger.redis, ledger.settings)
  }

  /** Publishes at once what was left released by planners before, then follows announcements. */
  async start(): Promise<void> {
    await listen(this.#subscriber, releasedChannel(this.#ledger.settings), Announcement, (message) =>
      this.#announced(message),
    )
    await this.#ledger.recall()
    await this.sweep(true)
    this.#loop = startLoop({
      everyMs: sweepMs,
      turn: () => this.#sweepOverdue(),
      failed: (error) => this.#failed(error),
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#due.values()) clearTimeout(timer)
    await this.#loop?.stop()
  }

  /** Publishes what was never claimed, where `all` is false only what is overdue, and fires deadlines. */
  async sweep(all: boolean, only: (deployment: string) => boolean = () => true): Promise<void> {
    for (const deployment of await this.#ledger.active()) {
      if (this.#stopped) return
      if (!only(deployment)) continue
      // A fault of one deployment must not hold up the others.
      await this.#sweepOne(deployment, all).catch((error) => this.#failed(error))
    }
  }

  async #sweepOne(deployment: string, all: boolean): Promise<void> {
    const parked = await this.#ledger.parked(deployment)
    if (parked.length > 0) await this.#clocks.now(deployment)
    for (const plan of parked) await this.#ledger.resume(deployment, plan)
    const lock = await this.#ledger.lock(deployment)
    if (!lock) return parked.length > 0 ? undefined : this.#ledger.retire(deployment)
    const now = await this.#clocks.now(deployment)
    await endAttempts(deployment, lock.plan, now, this.#parts)
    if (this.#sweeps % mendSweeps === mendSweeps - 1) await this.#ledger.mend(deployment, lock.plan)
    await this.#advance(deployment, lock.plan)
    await publishMissing(deployment, lock.plan, all ? '+inf' : now - overdueMs, this.#parts)
  }

  async #sweepOverdue(): Promise<void> {
    if (this.#stopped) return
    this.#sweeps += 1
    if (this.#sweeps % recallSweeps === 0) await this.#ledger.recall()
    await this.#abandoned.free()
    if ((await this.#ledger.active()).length === 0) return
    const foreign = this.#sweeps % foreignSweeps === 0
    await this.sweep(false, (deployment) => foreign || this.#planners.falls(deployment))
  }

  #announced({ base, plan, released, more, due }: z.output<typeof Announcement>): void {
    const deployment = deploymentOf(base)
    if (!this.#planners.falls(deployment)) return
    const publish = async () => {
      await failpoint('dispatch.announced')
      if (released.length > 0) await this.#parts.publisher.publish(deployment, released)
      if (more) await this.#advance(deployment, plan)
    }
    publish().catch((error) => this.#failed(error))
    this.#wait(deployment, plan, due)
  }

  /**
   * Works off what follows from what was recorded, slice by slice, and publishes what has room, until neither is left.
   * Calls for a deployment while that goes on are one call.
   */
  async #advance(deployment: string, plan: string): Promise<void> {
    if (this.#advancing.has(deployment)) {
      this.#advancing.set(deployment, true)
      return
    }
    this.#advancing.set(deployment, false)
    try {
      const queues = await this.#ledger.queuesOf(deployment, plan)
      for (let isMore = true; isMore && !this.#stopped; ) {
        const allowances = await this.#allowances.of(queues, (await this.#ledger.active()).length)
        const step = await this.#ledger.advance(deployment, plan, allowances)
        if (step.released.length > 0) await this.#parts.publisher.publish(deployment, step.released)
        isMore = step.isMore || this.#advancing.get(deployment)!
        this.#advancing.set(deployment, false)
        if (!isMore) this.#wait(deployment, plan, step.dueMs)
      }
    } finally {
      this.#advancing.delete(deployment)
    }
  }

  /** Goes on with a plan when the next of its remodels may begin, where that is before the next sweeps. */
  #wait(deployment: string, plan: string, dueMs = Number.POSITIVE_INFINITY): void {
    if (dueMs > 2 * sweepMs || this.#stopped || this.#due.has(deployment)) return
    const timer = setTimeout(() => {
      this.#due.delete(deployment)
      this.#advance(deployment, plan).catch((error) => this.#failed(error))
    }, dueMs)
    this.#due.set(deployment, timer)
  }

  #failed(error: unknown): void {
    if (!this.#stopped) this.#log.warn({ err: toError(error) }, 'dispatch failed; the next sweep tries again')
  }
}
