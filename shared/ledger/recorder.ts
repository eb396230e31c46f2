import type { Redis } from 'ioredis'
import { Batches } from '../queue/batch.ts'
import { isRetryable, RemodelError } from '../runtime/errors.ts'
import { Heartbeat } from '../runtime/heartbeat.ts'
import { pause } from '../runtime/timer.ts'
import type { Claim, ClaimResult, Completion, CompletionResult, Ledger, WantedRun } from './ledger.ts'

/** How long is waited between two tries to give something back. */
const giveBackMs = 1000

/** Reports that are remembered, to be repeated: of the last milliseconds, up to a number. */
const memoryMs = 5000
const memorySize = 2000

/** A worker's way to the ledger: claims and completions of one turn of the event loop share a round trip. */
export class Recorder {
  readonly #claims: Batches<WantedRun, ClaimResult>
  readonly #heartbeat: Heartbeat
  readonly #recent: { at: number; deployment: string; completion: Completion; before: () => Promise<unknown> }[] = []
  readonly #completions: Batches<Completion, CompletionResult>

  constructor(ledger: Ledger, worker: string) {
    this.#claims = new Batches((deployment, items) => ledger.claim(deployment, worker, items))
    this.#completions = new Batches((deployment, items) => ledger.complete(deployment, items))
    this.#heartbeat = new Heartbeat(ledger.redis, ledger.settings, worker)
  }

  /**
   * Begins a remodel. Where another worker has it under the same job, which a stall may have had delivered twice, it
   * is left to that one as long as it lives; `even` takes it away all the same, as a loss, where the caller holds
   * what only one may hold.
   */
  async claim(deployment: string, run: Omit<WantedRun, 'over'>, even = false): Promise<ClaimResult> {
    const first = await this.#claims.add(deployment, { ...run, over: 'none' })
    if (first.status !== 'held') return first
    const alive = await this.#heartbeat.alive(first.worker)
    if (alive && !even) return { status: 'superseded', state: `running at ${first.worker}` }
    return this.#claims.add(deployment, { ...run, over: { fence: first.fence, loss: alive } })
  }

  /** @param before What the report relies on, done again before the report is repeated: it may be forgotten as well. */
  async complete(
    deployment: string,
    completion: Completion,
    before: () => Promise<unknown> = async () => {},
  ): Promise<CompletionResult> {
    const result = await this.#completions.add(deployment, completion)
    const ends = completion.outcome !== 'progress' && completion.outcome !== 'no-return'
    if (ends && result.status === 'recorded') this.#remember(deployment, completion, before)
    return result
  }

  /**
   * Repeats the newest reports whenever `redis` has been away. One that was recorded is refused under its own fence and
   * changes nothing; one that a Redis which came back older has forgotten is recorded now, before its worker has
   * forgotten it as well: no other process would end it.
   */
  repeatAfterReconnect(redis: Redis): void {
    redis.on('ready', () => {
      const recent = this.#recent.splice(0).filter(({ at }) => performance.now() - at < memoryMs)
      for (const { deployment, completion, before } of recent)
        before()
          .then(() => this.complete(deployment, completion, before))
          .catch(() => {})
    })
  }

  /** Without `take`: a remodel that a repeated report took along would never be carried out. */
  #remember(deployment: string, { take: _, ...completion }: Completion, before: () => Promise<unknown>): void {
    this.#recent.push({ at: performance.now(), deployment, completion, before })
    if (this.#recent.length > memorySize) this.#recent.shift()
  }

  /**
   * Gives back what this worker lets go of without having ended it; `lost` uses no attempt. Goes on until the ledger
   * has answered, because a worker that lives is not looked for: what it silently dropped would wait for its deadline.
   */
  async giveBack(
    { deployment, plan, remodel, fence }: Claim,
    why: Pick<Completion, 'code' | 'message'> & { outcome: 'lost' | 'retry' },
  ): Promise<void> {
    for (;;) {
      try {
        await this.complete(deployment, { plan, remodel: remodel.id, fence, ...why })
        return
      } catch {
        await pause(giveBackMs)
      }
    }
  }

  /** Says what is being done now; a report that is late or lost changes nothing. */
  say(deployment: string, at: Pick<Completion, 'plan' | 'remodel' | 'fence'>, message: string): void {
    this.complete(deployment, { ...at, outcome: 'progress', message }).catch(() => {})
  }
}

/**
 * How a thrown error is recorded: `retry` where another attempt may help, `failed` where it would fail the same way.
 */
export function completionOf(error: unknown): Pick<Completion, 'outcome' | 'code' | 'message' | 'log'> {
  const known = error instanceof RemodelError ? error : undefined
  const code = known?.code ?? 'infrastructure'
  const log = known?.details.log
  return {
    outcome: isRetryable(error) ? 'retry' : 'failed',
    code,
    message: error instanceof Error ? error.message : String(error),
    ...(typeof log === 'string' ? { log } : {}),
  }
}
