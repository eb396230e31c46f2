import type { SayReason } from '../shared/model/reason.ts'
import type { Variables } from '../shared/runtime/settings.ts'
import type { SourceDocument } from '../shared/source/document.ts'
import type { Kind, KindTools } from './contract/kind.ts'

/** The `index.ts` of a kind: its parts, each loaded when it is first needed. */
export interface KindModule {
  default: {
    recognises(document: SourceDocument): boolean
    open(tools: KindTools): Promise<Kind>
    /** How it says its reasons. */
    phrases?(): Promise<SayReason>
    /** What it reads of the environment. */
    variables?(): Promise<Variables>
    /** Its part of the command, whose types are in `cli/verb.ts`. */
    verbs?(): Promise<readonly unknown[]>
    otherWords?(): Promise<unknown>
  }
}

/**
 * The kinds of this Remodel: a folder and a line each. What is in a folder is loaded when it is first needed, so that a
 * plan starts fast.
 */
export const builtIn: Readonly<Record<string, () => Promise<KindModule>>> = {
  deployment: () => import('./deployment/index.ts'),
  database: () => import('./database/index.ts'),
}
