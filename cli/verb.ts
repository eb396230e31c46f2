import type { Command } from 'commander'
import type { Context } from './context.ts'

/**
 * Exit codes of every verb: 0 done, 1 failed, 2 wrong use, bad input or a name that nothing has, 3 a plan has changes,
 * 130 left by Ctrl-C while the work goes on. `exec` passes the command's own code through.
 */
export const exit = { done: 0, failed: 1, wrongUse: 2, changes: 3, detached: 130 } as const

/** One verb of the command, in a file of its own that is loaded only when it is called. */
export interface Verb<Options = Record<never, never>> {
  /** Declares arguments and options; does nothing else. */
  configure(command: Command): void
  /** Command lines after `remodel`, each with what it does. */
  examples: readonly (readonly [line: string, what: string])[]
  /** Answers with the exit code; the program reports whatever it throws. */
  run(context: Context, args: readonly string[], options: Options): Promise<number>
}

/** A verb as the table of verbs sees it: its options are checked by what it configured. */
export type AnyVerb = Verb<never>

/**
 * Words of another command that people type out of habit; each answer says what does the same here, or that nothing
 * does.
 */
export interface OtherWords {
  verb(word: string): string | undefined
  /** As it was typed, `=value` or a value at its end or not. */
  option(word: string): string | undefined
}

/** The parts of the help, in its order. */
export const groups = {
  deploying: 'Deploying:',
  looking: 'Looking:',
  tasks: 'Running plans:',
  catalog: 'Releases, stemcells, configs:',
  stack: 'Remodel itself:',
} as const

/** A row of the help: what is known of a verb without loading it. */
export interface VerbEntry {
  name: string
  group: keyof typeof groups
  summary: string
  load: () => Promise<{ default: AnyVerb }>
}
