import levenshtein from 'fastest-levenshtein'
import { z } from 'zod'
import { RemodelError } from './errors.ts'
import { type TextVariable, texts } from './text-settings.ts'

const whole = (least: number, most: number) => z.number().int().min(least).max(most)
const part = (most: number) => z.number().gt(0).max(most)
const year = 365 * 24 * 3600

/** One variable of the environment. */
interface Variable {
  /** The processes that read it. */
  readBy: string
  /** What it is for, as docs/use/settings.md says it. */
  what: string
}

export interface NumberVariable extends Variable {
  allowed: z.ZodNumber
  /** The value where the variable is not set. */
  unset: number | undefined
  /** `allowed` in words. */
  words: string
  unit: string
}

type Numbers = Readonly<Record<string, NumberVariable>>

/** The variables that a kind reads beside those of every kind (`kinds/<kind>/variables.ts`). */
export interface Variables {
  numbers: Numbers
  texts: Readonly<Record<string, TextVariable>>
}

/** Every variable of the core that holds a number. An empty value counts as not set. */
export const numbers = {
  REMODEL_KEEP_PLANS: {
    readBy: 'planner',
    allowed: whole(1, 1_000_000),
    unset: 50,
    words: 'a whole number from 1 to 1,000,000',
    unit: 'plans',
    what: 'finished plans kept of each deployment, with their events',
  },
  REMODEL_KEEP_BLOBS_DAYS: {
    readBy: 'planner',
    allowed: part(36_500),
    unset: 7,
    words: 'a number of days above 0, up to 36,500',
    unit: 'days',
    what: 'the age at which a blob that no record names is deleted; an hour at least is safe',
  },
  REMODEL_COMPILE_KEEP_SECONDS: {
    readBy: 'compiler',
    allowed: z.number().min(0).max(year),
    unset: 60,
    words: 'a number of seconds from 0',
    unit: 'seconds',
    what: 'how long an idle compile machine is kept for the next package or deploy; 0: it is deleted at once, and none are made ahead',
  },
  REMODEL_COMPILE_KEEP: {
    readBy: 'compiler',
    allowed: whole(0, 1000),
    unset: 2,
    words: 'a whole number from 0 to 1,000',
    unit: 'machines',
    what: 'how many idle machines one compiler keeps once no package has waited to be compiled for 5 s',
  },
  REMODEL_CONCURRENCY: {
    readBy: 'compiler, assembler',
    allowed: whole(1, 1000),
    unset: undefined,
    words: 'a whole number from 1 to 1,000',
    unit: 'jobs',
    what: 'jobs at a time in one process. Not set: 4 in a compiler, 32 in an assembler',
  },
  REMODEL_LEAVE_SECONDS: {
    readBy: 'compiler, assembler',
    allowed: part(86_400),
    unset: 5,
    words: 'a number of seconds above 0, up to 86,400',
    unit: 'seconds',
    what: 'how long a worker that gets SIGTERM goes on with its jobs before it hands them back. More than 10 needs a supervisor that waits longer than `up` does',
  },
  REMODEL_READY_SECONDS: {
    readBy: 'up',
    allowed: part(3600),
    unset: 30,
    words: 'a number of seconds above 0, up to 3,600',
    unit: 'seconds',
    what: 'how long Redis and the planner may take to answer',
  },
} as const satisfies Numbers

/**
 * The number in a variable, or the default of its table where it is not set. Throws `invalid-input` that names the
 * variable, its value and the allowed ones.
 */
export function numberSetting<Table extends Numbers = typeof numbers, Name extends keyof Table & string = never>(
  name: Name,
  env: NodeJS.ProcessEnv = process.env,
  table: Table = numbers as unknown as Table,
): number | Table[Name]['unset'] {
  const { allowed, unset, words } = table[name]!
  const text = env[name]?.trim()
  if (text === undefined || text === '') return unset
  // Number() reads '0x10' as well; an operator writes decimal digits.
  const read = allowed.safeParse(/^-?\d+(\.\d+)?(e-?\d+)?$/.test(text) ? Number(text) : text)
  if (read.success) return read.data
  throw new RemodelError('invalid-input', `${name} is ${JSON.stringify(text)}, should be ${words}`, {
    details: { variable: name, found: text, allowed: words },
  })
}

/** Refuses an environment with a wrong value in any of these variables, with all of the wrong ones. */
export function checkSettings(ofKinds: readonly Variables[], env: NodeJS.ProcessEnv = process.env): void {
  const wrong = [numbers, ...ofKinds.map((kind) => kind.numbers)].flatMap((table: Numbers) =>
    Object.keys(table).flatMap((name) => {
      try {
        numberSetting(name, env, table)
        return []
      } catch (error) {
        if (error instanceof RemodelError) return [error.message]
        throw error
      }
    }),
  )
  if (wrong.length > 0) throw new RemodelError('invalid-input', wrong.join('; '))
}

/** Sentences about variables that begin as Remodel's do and are none: a misspelt one would have no effect. */
export function unknownSettings(ofKinds: readonly Variables[], env: NodeJS.ProcessEnv = process.env): string[] {
  const known = [{ numbers, texts }, ...ofKinds].flatMap((one) => [one.numbers, one.texts]).flatMap(Object.keys)
  return Object.keys(env)
    .filter((name) => name.startsWith('REMODEL_') && !known.includes(name))
    .map((name) => `${name} is not a variable of Remodel; the nearest name is ${levenshtein.closest(name, known)}`)
}
