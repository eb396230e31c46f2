import { isRetryable, RemodelError } from '../errors.ts'
import { Batch } from '../queue/batch.ts'
import type { ClaimResult, Completion, CompletionResult, Ledger } from './ledger.ts'

/** A worker's way to the ledger: claims and completions of one turn of the event loop share a round trip. */
export class Recorder {
  readonly #ledger: Ledger
  readonly #worker: string
  readonly #claims = new Map<string, Batch<{ plan: string; remodel: string; job: string }, ClaimResult>>()
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

  complete(deployment: string, completion: Completion): Promise<CompletionResult> {
    return perDeployment(this.#completions, deployment, (items) => this.#ledger.complete(deployment, items)).add(
      completion,
    )
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
