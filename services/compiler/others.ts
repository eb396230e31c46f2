import { packageName } from '../../shared/compile/phrase.ts'
import type { CompileSpec } from '../../shared/compile/requests.ts'
import { toError } from '../../shared/errors.ts'
import type { Claim } from '../../shared/ledger/ledger.ts'
import { boardName, jobId } from '../../shared/queue/catalog.ts'
import type { JobFailure } from '../../shared/queue/failure.ts'
import type { Tools } from './serve.ts'

/** What a package came to for one who joined the job of another, on Bull Board under its own name. That may fail: the ledger has it. */
export async function showOther(
  spec: CompileSpec,
  claim: Claim,
  outcome: string | JobFailure,
  { board, worker, log }: Pick<Tools, 'board' | 'worker' | 'log'>,
): Promise<void> {
  const { deployment, plan, release, startedAt } = claim
  const remodel = claim.remodel.id
  const job = {
    id: jobId(plan, remodel, release),
    name: boardName(deployment, packageName(spec)),
    data: { deployment, plan, remodel, key: spec.key },
  }
  await board.add('compile', { ...job, startedAt, worker, outcome }).catch((error) => {
    log.debug({ deployment, plan, remodel, err: toError(error) }, 'the board does not show who else had a package')
  })
}
