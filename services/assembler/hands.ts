import type { Claim, Ledger } from '../../shared/ledger/ledger.ts'

/**
 * The remodels that this assembler carries out, by the job that carries each: a job that a stall had delivered
 * twice is carried once.
 */
export class Hands {
  readonly #claims = new Map<string, Claim | undefined>()
  readonly #ledger: Pick<Ledger, 'isCurrent'>

  constructor(ledger: Pick<Ledger, 'isCurrent'>) {
    this.#ledger = ledger
  }

  has(job: string): boolean {
    return this.#claims.has(job)
  }

  /** @param claim Left out while the ledger has not answered yet. */
  hold(job: string, claim?: Claim): void {
    this.#claims.set(job, claim)
  }

  letGo(job: string): void {
    this.#claims.delete(job)
  }

  /** Whether what the job carries is still this worker's. */
  async ours(job: string): Promise<boolean> {
    const claim = this.#claims.get(job)
    return claim ? this.#ledger.isCurrent(claim) : this.has(job)
  }
}

/** One name for a job of any plan. */
export function handName({ plan, remodel, release }: { plan: string; remodel: string; release: number }): string {
  return `${plan} ${remodel} #${release}`
}
