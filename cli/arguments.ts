import { InvalidArgumentError } from 'commander'
import { RemodelError } from '../shared/runtime/errors.ts'

/** A whole number from `least` up. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (/^\d+$/.test(text) && number >= least && number <= most) return number
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`wanted a whole number ${range}.`)
  }
}

/** `3` or `25%`, as it is written in a manifest. */
export function numberOrShare(text: string): string {
  if (/^\d+%?$/.test(text)) return text
  throw new InvalidArgumentError('wanted a number like 3 or a share like 25%.')
}

/** Gathers an option that may be given several times. */
export function gather(text: string, before: string[] = []): string[] {
  return [...before, text]
}

/**
 * `web/0`, or `n1-a` where a kind gives instances one name -> its path in the API. Throws `invalid-input` on anything
 * else.
 */
export function instancePath(text: string): string {
  if (/^[^/]+(\/|-)[^/]+$/.test(text)) return text.split('/').map(encodeURIComponent).join('/')
  throw new RemodelError(
    'invalid-input',
    `${text} is not an instance: wanted GROUP/INDEX like web/0, or NODE-HOST like n1-a (see \`remodel instances\`)`,
  )
}
