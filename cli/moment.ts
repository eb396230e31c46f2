import { RemodelError } from '../shared/runtime/errors.ts'

const timeOfDay = /^([01]\d|2[0-3]):([0-5]\d)$/
/** A date with a time of day; without a zone it is the reader's own. */
const dateTime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:?\d{2})?$/

/**
 * The moment that people mean, in milliseconds since the epoch: a date with a time, or a time of day, which is the next
 * one after `after`. Throws `invalid-input`.
 */
function momentOf(option: string, text: string, after: number): number {
  const [, hours, minutes] = timeOfDay.exec(text) ?? []
  if (hours !== undefined) {
    const at = new Date(after)
    at.setHours(Number(hours), Number(minutes), 0, 0)
    if (at.getTime() <= after) at.setDate(at.getDate() + 1)
    return at.getTime()
  }
  const at = dateTime.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN
  if (Number.isNaN(at))
    throw new RemodelError('invalid-input', `${option}: wanted a time like 22:00 or 2026-12-24T22:00, found ${text}`)
  if (at <= after) throw new RemodelError('invalid-input', `${option}: ${text} is ${tooEarly(option)}`)
  return at
}

const tooEarly = (option: string) => (option === '--not-after' ? 'over before it could begin' : 'over')

/** The time in which a plan is to begin, as two options say it. */
export function beginOf(
  options: { notBefore?: string; notAfter?: string },
  now: number,
): { notBefore?: number; notAfter?: number } {
  const notBefore = options.notBefore === undefined ? undefined : momentOf('--not-before', options.notBefore, now)
  const notAfter =
    options.notAfter === undefined ? undefined : momentOf('--not-after', options.notAfter, notBefore ?? now)
  return { ...(notBefore === undefined ? {} : { notBefore }), ...(notAfter === undefined ? {} : { notAfter }) }
}
