import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { RedisSettings } from '../redis.ts'
import { Batches } from './batch.ts'
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

/** Puts what a worker took along on Bull Board, each under its own outcome; those of one turn of the event loop share a round trip. */
export class EndedJobs {
  readonly #batches: Batches<EndedJob, undefined>

  constructor(redis: Redis, settings: RedisSettings) {
    const lua = readFileSync(new URL('./lua/ended.lua', import.meta.url), 'utf8')
    redis.defineCommand('queue_ended', { numberOfKeys: 1, lua })
    const write: Write = (...args) => (redis as unknown as { queue_ended: Write }).queue_ended(...args)
    this.#batches = new Batches(async (queue, jobs) => {
      await write(`${queuePrefix(settings)}:${queue}:`, keptJobs.count, ...jobs.flatMap(argumentsOf))
      return jobs.map(() => undefined)
    })
  }

  async add(queue: string, job: EndedJob): Promise<void> {
    await this.#batches.add(queue, job)
  }
}

function argumentsOf({ id, name, data, startedAt, worker, outcome }: EndedJob): (string | number)[] {
  const failure = outcome instanceof JobFailure ? outcome : undefined
  const fields = {
    ...{ name, data: JSON.stringify(data), opts: '{}', timestamp: startedAt, processedOn: startedAt, pb: worker },
    ...{ delay: 0, priority: 0, ats: 1, atm: 1, progress: failure ? 0 : 100, stacktrace: '[]' },
  }
  return [
    ...[id, failure ? 'failed' : 'completed', failure?.reason ?? JSON.stringify(outcome), Date.now()],
    ...[failure?.log ?? '', 2 * Object.keys(fields).length],
    ...Object.entries(fields).flat(),
  ]
}
