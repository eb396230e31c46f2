import type { Redis } from 'ioredis'
import { isRetryable, RemodelError } from '../errors.ts'
import { Batch } from '../queue/batch.ts'
import type { ClaimResult, Completion, CompletionResult, Ledger } from './ledger.ts'

/** Reports that are remembered, to be repeated: of so many milliseconds, and so many at most. */
const memoryMs = 5000
const memorySize = 2000

/** A worker's way to the ledger: claims and completions of one turn of the event loop share a round trip. */
export class Recorder {
  readonly #ledger: Ledger
  readonly #worker: string
  readonly #claims = new Map<string, Batch<{ plan: string; remodel: string; job: string }, ClaimResult>>()
  readonly #recent: { at: number; deployment: string; completion: Completion }[] = []
  readonly #completions = new Map<string, Batch<Completion, CompletionResult>>()

  constructor(ledger: Ledger, worker: string) {
    this.#ledger = ledger
    this.#worker = worker
  }

  claim(deployment: string, plan: string, remodel: string, job: string): Promise<ClaimResult> {
    return perDeployment(this.#claims, deployment, (items) => this.#ledger.claim(deployment, this.#worker, items)).add({
      plan,
      remodel,
      job,
    })
  }

  async complete(deployment: string, completion: Completion): Promise<CompletionResult> {
    const result = await perDeployment(this.#completions, deployment, (items) =>
      this.#ledger.complete(deployment, items),
    ).add(completion)
    const ends = completion.outcome !== 'progress' && completion.outcome !== 'no-return'
    if (ends && result.status === 'recorded') this.#remember(deployment, completion)
    return result
  }

  /**
   * Repeats the newest reports whenever `redis` has been away. One that was recorded is refused under its own fence and
   * changes nothing; one that a Redis which came back older has forgotten is recorded now, before its worker has forgotten
   * it as well: nobody else would end it.
   */
  repeatAfterReconnect(redis: Redis): void {
    redis.on('ready', () => {
      const recent = this.#recent.splice(0).filter(({ at }) => performance.now() - at < memoryMs)
      for (const { deployment, completion } of recent) this.complete(deployment, completion).catch(() => {})
    })
  }

  /** Without `take`: what would be taken along by a repeated report, nobody would carry out. */
  #remember(deployment: string, { take: _, ...completion }: Completion): void {
    this.#recent.push({ at: performance.now(), deployment, completion })
    if (this.#recent.length > memorySize) this.#recent.shift()
  }

  /** Says what is being done now; a report that is late or lost changes nothing. */
  say(deployment: string, at: Pick<Completion, 'plan' | 'remodel' | 'fence'>, message: string): void {
    this.complete(deployment, { ...at, outcome: 'progress', message }).catch(() => {})
  }
}

function perDeployment<Item, Result>(
  batches: Map<string, Batch<Item, Result>>,
  deployment: string,
  run: (items: Item[]) => Promise<Result[]>,
): Batch<Item, Result> {
  let batch = batches.get(deployment)
  if (!batch) {
    batch = new Batch(run)
    batches.set(deployment, batch)
  }
  return batch
}

/** How a thrown error is recorded: `retry` where another attempt may help, `failed` where it would fail the same way. */
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
