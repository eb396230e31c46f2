import type { Reason, SayReason } from '../../shared/model/reason.ts'

/** A phrase for each code of a kind's reasons. */
export type Phrases<Of extends Reason> = {
  readonly [Code in Of['code']]: (reason: Extract<Of, { code: Code }>) => string
}

/** What a kind declares beside its foreman: the phrases of a union of reasons, told apart by their codes. */
export function definePhrases<Of extends Reason>(phrases: Phrases<Of>): SayReason {
  const byCode = new Map<string, unknown>(Object.entries(phrases))
  return (reason) => {
    const phrase = byCode.get(reason.code)
    return typeof phrase === 'function' ? String(phrase(reason)) : undefined
  }
}
