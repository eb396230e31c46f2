import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { RedisSettings } from '../runtime/redis.ts'
import { JobFailure } from './failure.ts'
import { keptJobs, queuePrefix } from './queues.ts'

type Write = (queue: string, kept: number, ...fields: (string | number)[]) => Promise<unknown>

/** What a worker did besides the job that it was handed. */
export interface EndedJob {
  id: string
  name: string
  data: Readonly<Record<string, string | number>>
  /** Milliseconds since the epoch. */
  startedAt: number
  worker: string
  outcome: string | JobFailure
}

/**
 * A person who looks at the board sees no difference, and a burst of quick remodels is written in a few round trips.
 */
const gatherMs = 50
/** The jobs of a script of about a millisecond. */
const mostAtOnce = 50

/**
 * Puts what a worker took along on Bull Board, each under its own outcome. The board shows the ledger and decides
 * nothing: no work waits for it, and what a worker that dies has not written yet is missing there.
 */
export class EndedJobs {
  readonly #write: Write
  readonly #prefix: string
  readonly #failed: (error: unknown) => void
  readonly #waiting = new Map<string, EndedJob[]>()
  #writing: Promise<void> | undefined

  /** @param failed hears why something does not stand on the board. */
  constructor(redis: Redis, settings: RedisSettings, failed: (error: unknown) => void = () => {}) {
    const lua = readFileSync(new URL('./lua/ended.lua', import.meta.url), 'utf8')
    redis.defineCommand('queue_ended', { numberOfKeys: 1, lua })
    this.#write = (...args) => (redis as unknown as { queue_ended: Write }).queue_ended(...args)
    this.#prefix = queuePrefix(settings)
    this.#failed = failed
  }

  add(queue: string, job: EndedJob): void {
    const jobs = this.#waiting.get(queue)
    if (jobs) jobs.push(job)
    else this.#waiting.set(queue, [job])
    this.#writing ??= this.#writeOut()
  }

  /** Ends when what was added is written, or was refused. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #writeOut(): Promise<void> {
    while (this.#waiting.size > 0) {
      await sleep(gatherMs)
      const all = [...this.#waiting]
      this.#waiting.clear()
      for (const [queue, jobs] of all)
        for (let at = 0; at < jobs.length; at += mostAtOnce) {
          const fields = jobs.slice(at, at + mostAtOnce).flatMap(argumentsOf)
          await this.#write(`${this.#prefix}:${queue}:`, keptJobs.count, ...fields).catch(this.#failed)
        }
    }
    this.#writing = undefined
  }
}

function argumentsOf({ id, name, data, startedAt, worker, outcome }: EndedJob): (string | number)[] {
  const failure = outcome instanceof JobFailure ? outcome : undefined
  const fields = {
    ...{ name, data: JSON.stringify(data), opts: '{}', timestamp: startedAt, processedOn: startedAt, pb: worker },
    ...{ delay: 0, priority: 0, ats: 1, atm: 1, progress: failure ? 0 : 100, stacktrace: '[]' },
    ...(failure ? { failedReason: failure.reason } : { returnvalue: JSON.stringify(outcome) }),
    finishedOn: Date.now(),
  }
  return [
    ...[id, failure ? 'failed' : 'completed', fields.finishedOn, failure?.log ?? '', 2 * Object.keys(fields).length],
    ...Object.entries(fields).flat(),
  ]
}
