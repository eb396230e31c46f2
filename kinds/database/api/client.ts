import { z } from 'zod'
import { type Calls, limits, of, ofAction } from '../../../shared/api/calls.ts'
import { PlanView } from '../../../shared/api/schemas/plan.ts'
import type { BackUp, Promotion } from '../action-inputs.ts'
import { BackupSummary } from './backup.ts'
import { Comparison } from './comparison.ts'
import { DatabaseInstance } from './instance.ts'
import { StatementOutcome, type StatementsRequest } from './statements.ts'

/** What only databases have in the planner's API; everything else is `Client`'s. */
export class DatabaseClient {
  readonly #calls: Calls

  constructor({ calls }: { calls: Calls }) {
    this.#calls = calls
  }

  /** Instances with what their servers say of themselves. */
  instances(deployment: string): Promise<DatabaseInstance[]> {
    return this.#calls.get(z.array(DatabaseInstance), `${of(deployment)}/instances`)
  }

  planBackUp(deployment: string, input: z.input<typeof BackUp>): Promise<PlanView> {
    return this.#calls.post(PlanView, ofAction(deployment, 'back-up'), input, limits.planning)
  }

  planPromotion(deployment: string, input: z.input<typeof Promotion>): Promise<PlanView> {
    return this.#calls.post(PlanView, ofAction(deployment, 'promote'), input, limits.planning)
  }

  backups(deployment: string): Promise<BackupSummary[]> {
    return this.#calls.get(z.array(BackupSummary), `${of(deployment)}/backups`)
  }

  /** Answers what was forgotten. */
  forgetBackups(deployment: string): Promise<BackupSummary[]> {
    return this.#calls.delete(z.array(BackupSummary), `${of(deployment)}/backups`)
  }

  runStatements(deployment: string, request: z.input<typeof StatementsRequest>): Promise<StatementOutcome[]> {
    return this.#calls.post(z.array(StatementOutcome), `${of(deployment)}/statements`, request, limits.hour)
  }

  /** All nodes of a database against each other. */
  compareNodes(deployment: string): Promise<Comparison> {
    return this.#calls.get(Comparison, `${of(deployment)}/comparison`, limits.hour)
  }
}
