import { DelayedError, UnrecoverableError } from 'bullmq'
import { type Payload, payloads, type QueueName } from '../../../shared/queue/payloads.ts'
import type { RedisClient } from '../redis/client.ts'
import type { AddOptions, QueueJob, QueueModel } from './model.ts'

/** The settings of shared/queue/worker.ts. */
const lockMs = 30_000
const renewMs = 5000
const stalledMs = 1000
const drainMs = 5000
/** As in shared/queue/lua/clear.lua. */
const unclaimedMs = 6000

/** What a processor may do with its job. */
export interface JobHandle {
  id: string
  data: unknown
  moveToDelayed(until: number, token: string): Promise<void>
  /** For the board, which is not simulated. */
  updateProgress(percent: number): Promise<void>
  log(line: string): Promise<void>
}

type Process<Name extends QueueName> = (
  payload: Payload<Name>,
  signal: AbortSignal,
  job: JobHandle,
  token: string,
) => Promise<unknown>

interface Parts<Name extends QueueName> {
  name: Name
  queue: QueueModel
  redis: RedisClient
  concurrency: number
  process: Process<Name>
  ours?(payload: Payload<Name>): Promise<boolean>
  failed(error: unknown): void
}

/** The producer's side, as `Queues.get` gives it. */
export class SimQueue {
  readonly #queue: QueueModel
  readonly #redis: RedisClient

  constructor(queue: QueueModel, redis: RedisClient) {
    this.#queue = queue
    this.#redis = redis
  }

  async add(name: string, data: unknown, opts: AddOptions = {}): Promise<void> {
    await this.#redis.send(() => this.#queue.add(name, data, opts))
  }

  /** What `Queues.turn` reads. */
  async turn(): Promise<number> {
    return this.#redis.send(() => this.#queue.turn())
  }

  async holders(): Promise<string[]> {
    return this.#redis.send(() => this.#queue.holders())
  }

  async freeOf(workers: readonly string[]): Promise<void> {
    await this.#redis.send(() => this.#queue.freeOf(workers))
  }

  /** What `StrandedJobs` does by BullMQ's keys: the model has no half of a job. */
  async clearEnded(ids: readonly string[]): Promise<string[]> {
    return this.#redis.send(() => {
      const ended = ids.filter((id) => this.#queue.hasEnded(id))
      for (const id of ended) this.#queue.remove(id)
      for (const id of ids) this.#queue.shorten(id, unclaimedMs)
      return ids.filter((id) => !this.#queue.jobs.has(id))
    })
  }

  async addBulk(jobs: { name: string; data: unknown; opts?: AddOptions }[]): Promise<void> {
    await this.#redis.send(() => {
      for (const { name, data, opts } of jobs) this.#queue.add(name, data, opts ?? {})
    })
  }
}

/**
 * A worker's loop as BullMQ runs it: takes jobs, renews their locks, cancels what lost its lock, looks for stalled
 * ones. Runs in a simulated process; every step at the queue is a message to the server.
 */
export class SimWorker<Name extends QueueName> {
  readonly #parts: Parts<Name>
  readonly #held = new Map<string, { token: string; ours(): Promise<boolean>; abort: AbortController }>()
  #wake: (() => void) | null = null
  #tokens = 0
  #busy = 0
  #closing = false

  constructor(parts: Parts<Name>) {
    this.#parts = parts
  }

  start(): void {
    const waker = () => this.#wake?.()
    this.#parts.queue.wakers.add(waker)
    this.#parts.redis.process.onDeath.push(() => this.#parts.queue.wakers.delete(waker))
    this.#renewSoon()
    setInterval(() => void this.#send(() => this.#parts.queue.checkStalled(stalledMs)), stalledMs)
    void this.#fetch()
  }

  /** Takes nothing more and waits for its running jobs. */
  async close(): Promise<void> {
    this.#closing = true
    while (this.#busy > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  async #fetch(): Promise<void> {
    while (!this.#closing) {
      if (this.#busy >= this.#parts.concurrency) {
        await this.#waiting(drainMs)
        continue
      }
      const token = `${this.#parts.redis.process.name}:${this.#tokens++}`
      // Set before the request leaves: what is added while it is under way wakes us too.
      let woken = false
      this.#wake = () => {
        woken = true
      }
      const job = await this.#send(() => this.#parts.queue.take(token, lockMs))
      if (job) void this.#work(job, token)
      else if (!woken) await this.#waiting(drainMs)
    }
  }

  #waiting(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        // A blocked worker hears of a new job over its connection.
        void this.#send(() => undefined).then(() => resolve())
      }
    })
  }

  async #work(job: QueueJob, token: string): Promise<void> {
    const { queue, process } = this.#parts
    const abort = new AbortController()
    this.#busy += 1
    const ours = async () => this.#parts.ours?.(job.data as Payload<Name>) ?? true
    this.#held.set(job.id, { token, ours, abort })
    let end = () => queue.complete(job.id, token)
    try {
      const handle: JobHandle = {
        id: job.id,
        data: job.data,
        moveToDelayed: async (until, held) => {
          await this.#parts.redis.send(() => queue.delay(job.id, held, until))
        },
        updateProgress: async () => {},
        log: async () => {},
      }
      const payload = payloads[this.#parts.name].safeParse(job.data)
      if (!payload.success) throw new UnrecoverableError('this job does not fit')
      await process(payload.data as Payload<Name>, abort.signal, handle, token)
    } catch (error) {
      if (error instanceof DelayedError) end = () => {}
      else {
        this.#parts.failed(error)
        end = () => queue.fail(job.id, token, error instanceof UnrecoverableError)
      }
    }
    this.#held.delete(job.id)
    await this.#send(end)
    this.#busy -= 1
    this.#wake?.()
  }

  /** As `shared/queue/locks.ts`. */
  #renewSoon(): void {
    setTimeout(async () => {
      const due = [...this.#held]
      if (due.length > 0) {
        const lost = await this.#send(() =>
          due.filter(([id, { token }]) => !this.#parts.queue.extend(id, token, lockMs)),
        )
        for (const [id, { token, ours, abort }] of lost ?? []) {
          if (await ours().catch(() => true)) await this.#send(() => this.#parts.queue.retake(id, token, lockMs))
          else abort.abort(new Error('it is in other hands'))
        }
      }
      this.#renewSoon()
    }, renewMs)
  }

  /** What is refused is only an `error` event of BullMQ. */
  async #send<T>(execute: () => T): Promise<T | null> {
    try {
      return await this.#parts.redis.send(execute)
    } catch (error) {
      this.#parts.failed(error)
      return null
    }
  }
}
