import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { z } from 'zod'
import { listen } from '../../../shared/channel.ts'
import { toError } from '../../../shared/errors.ts'
import { failpoint } from '../../../shared/failpoint.ts'
import { deploymentOf, releasedChannel } from '../../../shared/ledger/keys.ts'
import type { Ledger, Released } from '../../../shared/ledger/ledger.ts'
import type { StrandedJobs } from '../../../shared/queue/stranded.ts'
import type { Planners } from './planners.ts'
import type { Publisher } from './publish.ts'
import { Workers } from './workers.ts'

/** How often the ledger is looked over for work that got lost between two processes. */
const sweepMs = 500
/** Every how many sweeps all deployments are looked at, not only those that are listed as active: each ten seconds. */
const recallSweeps = 20
/** Released work that nobody claimed for this long may have missed its queue: it is put there again, which is harmless. */
const overdueMs = 1500
/** What the scripts of the ledger announce (`graph.lua`). */
const Announcement = z.object({
  base: z.string(),
  released: z.array(z.custom<Released>((item) => typeof item === 'object')),
})
/** What an attempt has, after its deadline, to report its end by itself. */
const graceMs = 2000

/**
 * Puts released work on queues and looks after deadlines.
 *
 * The scripts of the ledger announce what they release; the planner that the deployment falls to publishes it at once.
 * An announcement can be missed (a planner that died, a connection that broke), so every planner also sweeps: what was
 * released and never claimed is published again under the same job id. The ledger alone says what is ready, so nothing
 * here needs to be remembered, and any queue may be flushed at any time.
 */
export class Dispatcher {
  readonly #ledger: Ledger
  readonly #publisher: Publisher
  readonly #planners: Planners
  readonly #subscriber: Redis
  readonly #workers: Workers
  readonly #log: Logger
  readonly #stranded: Pick<StrandedJobs, 'clear'>
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> = Promise.resolve()
  #stopped = false
  #sweeps = 0

  constructor(parts: {
    ledger: Ledger
    publisher: Publisher
    planners: Planners
    subscriber: Redis
    log: Logger
    stranded: Pick<StrandedJobs, 'clear'>
  }) {
    this.#ledger = parts.ledger
    this.#publisher = parts.publisher
    this.#planners = parts.planners
    this.#subscriber = parts.subscriber
    this.#workers = new Workers(parts.ledger.redis, parts.ledger.settings)
    this.#log = parts.log
    this.#stranded = parts.stranded
  }

  /** Publishes at once what was left released by planners before, then follows announcements. */
  async start(): Promise<void> {
    await listen(this.#subscriber, releasedChannel(this.#ledger.settings), Announcement, (message) =>
      this.#announced(message),
    )
    await this.#ledger.recall()
    await this.sweep('+inf')
    this.#timer = setInterval(() => {
      this.#sweeping = this.#sweeping.then(() => this.#sweepOverdue()).catch((error) => this.#failed(error))
    }, sweepMs)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#sweeping
  }

  /** Publishes what was released before `before` (Redis' clock) and never claimed, and fires deadlines. */
  async sweep(before: number | '+inf'): Promise<void> {
    for (const deployment of await this.#ledger.active()) {
      if (this.#stopped) return
      // What is wrong with one deployment must not hold up the others.
      await this.#sweepOne(deployment, before).catch((error) => this.#failed(error))
    }
  }

  async #sweepOne(deployment: string, before: number | '+inf'): Promise<void> {
    const lock = await this.#ledger.lock(deployment)
    if (!lock) return this.#ledger.retire(deployment)
    const gone = await this.#workers.gone(await this.#ledger.workersOf(deployment, lock.plan))
    await this.#ledger.expire(deployment, lock.plan, graceMs, gone)
    const released = await this.#ledger.unclaimed(deployment, lock.plan, before, before === '+inf' ? 100_000 : 500)
    if (released.length === 0) return
    const jobs = await this.#publisher.jobIds(deployment, released)
    await Promise.all([...jobs].map(([queue, ids]) => this.#stranded.clear(queue, ids, true)))
    await failpoint('dispatch.cleared')
    await this.#publisher.publish(deployment, released)
  }

  async #sweepOverdue(): Promise<void> {
    if (this.#stopped) return
    if (++this.#sweeps % recallSweeps === 0) await this.#ledger.recall()
    if ((await this.#ledger.active()).length === 0) return
    const [seconds, micros] = await this.#ledger.redis.time()
    await this.sweep(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) - overdueMs)
  }

  #announced({ base, released }: z.output<typeof Announcement>): void {
    const deployment = deploymentOf(base)
    if (!this.#planners.falls(deployment)) return
    Promise.resolve(failpoint('dispatch.announced'))
      .then(() => this.#publisher.publish(deployment, released))
      .catch((error) => this.#failed(error))
  }

  #failed(error: unknown): void {
    if (!this.#stopped) this.#log.warn({ err: toError(error) }, 'dispatch failed; the next sweep tries again')
  }
}
