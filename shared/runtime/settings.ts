import { z } from 'zod'
import { RemodelError } from './errors.ts'

const whole = (least: number, most: number) => z.number().int().min(least).max(most)
const part = (most: number) => z.number().gt(0).max(most)
const year = 365 * 24 * 3600

/**
 * Every variable of the environment that holds a number: what it may be, and what it is where it is not set. An empty value
 * counts as not set. docs/use/operating.md says what each is for.
 */
const numbers = {
  REMODEL_KEEP_PLANS: { allowed: whole(1, 1_000_000), unset: 50, words: 'a whole number from 1 to 1,000,000' },
  REMODEL_KEEP_BLOBS_DAYS: { allowed: part(36_500), unset: 7, words: 'a number of days above 0, up to 36,500' },
  REMODEL_ARCHIVE_SECONDS: { allowed: part(year), unset: 60, words: 'a number of seconds above 0, up to a year' },
  REMODEL_COMPILE_KEEP_SECONDS: {
    allowed: z.number().min(0).max(year),
    unset: 60,
    words: 'a number of seconds from 0',
  },
  REMODEL_COMPILE_KEEP: { allowed: whole(0, 1000), unset: 2, words: 'a whole number from 0 to 1,000' },
  REMODEL_CONCURRENCY: { allowed: whole(1, 1000), unset: undefined, words: 'a whole number from 1 to 1,000' },
  REMODEL_LEAVE_SECONDS: { allowed: part(86_400), unset: 5, words: 'a number of seconds above 0, up to 86,400' },
  REMODEL_READY_SECONDS: { allowed: part(3600), unset: 30, words: 'a number of seconds above 0, up to 3,600' },
} as const

type NumberName = keyof typeof numbers

/**
 * The number in a variable, or what the table says where it is not set. Throws `invalid-input` that names the variable, its
 * value and what is allowed.
 */
export function numberSetting<Name extends NumberName>(
  name: Name,
  env: NodeJS.ProcessEnv = process.env,
): number | (typeof numbers)[Name]['unset'] {
  const { allowed, unset, words } = numbers[name]
  const text = env[name]?.trim()
  if (text === undefined || text === '') return unset
  // Number() reads '0x10' as well; an operator writes decimal digits.
  const read = allowed.safeParse(/^-?\d+(\.\d+)?(e-?\d+)?$/.test(text) ? Number(text) : text)
  if (read.success) return read.data
  throw new RemodelError('invalid-input', `${name} is ${JSON.stringify(text)}, should be ${words}`, {
    details: { variable: name, found: text, allowed: words },
  })
}

/** Refuses an environment with a wrong value in any of the variables above, all of them at once. */
export function checkSettings(env: NodeJS.ProcessEnv = process.env): void {
  const wrong = (Object.keys(numbers) as NumberName[]).flatMap((name) => {
    try {
      numberSetting(name, env)
      return []
    } catch (error) {
      if (error instanceof RemodelError) return [error.message]
      throw error
    }
  })
  if (wrong.length > 0) throw new RemodelError('invalid-input', wrong.join('; '))
}
