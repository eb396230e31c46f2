import type * as CarryOut from './carry-out.ts'

export { bytesText } from '../shared/model/bytes-text.ts'
/** All that a verb outside of this folder imports: what a verb is, how it asks people, and how it writes. */
export { gather, wholeNumber } from './arguments.ts'
export { ask, requireConsent } from './consent.ts'
export type { Context } from './context.ts'
export { readSource } from './files.ts'
export { isFinal } from './follow.ts'
export { exit, type OtherWords, type Verb, type VerbEntry } from './verb.ts'
export { statePainted } from './views/state.ts'
export { plain, type Style } from './views/style.ts'
export { count, table } from './views/table.ts'
export { ago, clock, dateTime, duration, elapsed } from './views/time.ts'

/** Loaded when it is called: it brings the views of plans along, which most verbs do not show. */
export const showAskApply: typeof CarryOut.showAskApply = async (...given) =>
  (await import('./carry-out.ts')).showAskApply(...given)
