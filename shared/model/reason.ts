import { z } from 'zod'
import { Json } from './material.ts'

/**
 * Why a remodel is in a plan: a code, and what else there is to know. The codes are the kind's own, and so are
 * the phrases that people read: those are made where people read them (`phraseOf`), and a plan, a filter or a
 * test goes by the code.
 */
export const Reason = z.object({ code: z.string().regex(/^[a-z][a-z0-9-]*$/) }).catchall(Json)
export type Reason = z.infer<typeof Reason>

/** As a plan has it: a phrase in those that an earlier version drew, which is read as it is and has no code. */
export const StoredReason = z.union([Reason, z.string()])
export type StoredReason = z.infer<typeof StoredReason>

/** How a kind says its reasons; undefined for those that are not its own. */
export type SayReason = (reason: Reason) => string | undefined

/** The core's own. */
const own: ReadonlyMap<string, string> = new Map([['asked-for', 'it was asked for']])

/**
 * A phrase for people. Where no kind says it, as of an extension that the reader has not, it is the words of the code.
 */
export function phraseOf(reason: StoredReason, say: SayReason = () => undefined): string {
  if (typeof reason === 'string') return reason
  return say(reason) ?? own.get(reason.code) ?? wordsOf(reason)
}

function wordsOf({ code, ...parameters }: Reason): string {
  const values = Object.entries(parameters).map(([name, value]) => {
    return `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  return [code.replaceAll('-', ' '), ...(values.length > 0 ? [`(${values.join(', ')})`] : [])].join(' ')
}

/** The code of a reason; null of a phrase. */
export function codeOfReason(reason: StoredReason): string | null {
  return typeof reason === 'string' ? null : reason.code
}
