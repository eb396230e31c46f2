/**
 * What a worker answers for a job whose failure is recorded in the ledger already: the job goes under "failed" of
 * its queue, with this reason and the end of its log, and BullMQ does not begin it again. A worker that could not
 * record anything throws.
 */
export class JobFailure {
  readonly reason: string
  readonly log: string | undefined

  constructor(reason: string, log?: string) {
    this.reason = reason
    this.log = log
  }
}
