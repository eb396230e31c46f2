import { packageName } from '../../shared/compilation/phrase.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import type { Claim } from '../../shared/ledger/ledger.ts'
import type { JobFailure } from '../../shared/queue/failure.ts'
import { boardName, jobId } from '../../shared/queue/payloads.ts'
import type { Tools } from './serve.ts'

/** What a package came to for one who joined the job of another, on Bull Board under its own name. */
export function showOther(
  spec: CompileSpec,
  { deployment, plan, remodel: { id: remodel }, release, startedAt }: Claim,
  outcome: string | JobFailure,
  { board, worker }: Pick<Tools, 'board' | 'worker'>,
): void {
  board.add('compile', {
    id: jobId(plan, remodel, release),
    name: boardName(deployment, packageName(spec)),
    data: { deployment, plan, remodel, key: spec.key },
    ...{ startedAt, worker, outcome },
  })
}
