import type { z } from 'zod'

/** What a schema wants, as people call it. */
const types: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  map: 'a map',
  array: 'a list',
  tuple: 'a list',
  set: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  boolean: 'true or false',
  null: 'empty',
  undefined: 'left out',
  nan: 'a number',
}

const formats: Readonly<Record<string, string>> = {
  url: 'a URL',
  email: 'an email address',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  cidrv4: 'a range of IPv4 addresses, such as 10.0.0.0/24',
  cidrv6: 'a range of IPv6 addresses',
  datetime: 'a time, such as 2026-11-22T11:13:37Z',
  date: 'a date, such as 2026-11-22',
  uuid: 'a UUID',
  base64: 'a text in base64',
}

/** `a map`, `a whole number`: a type of the library as people call it. */
export function typeWords(type: string): string {
  return types[type] ?? type
}

/**
 * What is wrong, in our words and without the value; the message that a schema itself gives goes before it. Given to
 * the library with each `safeParse`, so that no sentence of its own reaches a user.
 */
export function schemaWords(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${typeWords(issue.expected)}`
    case 'invalid_value':
      return issue.values.length === 1 ? `must be ${String(issue.values[0])}` : 'is none of the allowed values'
    case 'too_big':
      return `${sized(issue.origin)} ${issue.inclusive === false ? 'less than' : 'at most'} ${limit(issue.maximum, issue.origin)}`
    case 'too_small':
      return `${sized(issue.origin)} ${issue.inclusive === false ? 'more than' : 'at least'} ${limit(issue.minimum, issue.origin)}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'invalid_format':
      return formats[issue.format] === undefined ? 'is not written as it must be' : `must be ${formats[issue.format]}`
    case 'unrecognized_keys':
      return `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}`
    case 'invalid_union':
      return alternatives(issue.errors)
    default:
      return 'is not allowed here'
  }
}

function sized(origin: string): string {
  return isCounted(origin) ? 'must have' : 'must be'
}

function limit(bound: number | bigint, origin: string): string {
  const one = Number(bound) === 1
  if (origin === 'string') return `${bound} character${one ? '' : 's'}`
  return isCounted(origin) ? `${bound} ${one ? 'entry' : 'entries'}` : String(bound)
}

function isCounted(origin: string): boolean {
  return ['string', 'array', 'set', 'map', 'object', 'file'].includes(origin)
}

/** `must be a number or a text`: what each alternative wanted of the value itself. */
function alternatives(errors: readonly (readonly z.core.$ZodIssue[])[]): string {
  const wanted = errors.map((issues) => {
    const [first] = issues
    if (first?.code === 'invalid_type' && first.path.length === 0) return typeWords(first.expected)
    return first?.code === 'invalid_value' && first.path.length === 0
      ? first.values.map(String).join(' or ')
      : undefined
  })
  const known = [...new Set(wanted.filter((one) => one !== undefined))]
  return known.length === wanted.length && known.length > 0 ? `must be ${known.join(' or ')}` : 'is not allowed here'
}
