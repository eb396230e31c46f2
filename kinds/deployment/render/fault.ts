import type { Fault } from '../../../shared/runtime/errors.ts'
import { suggest } from '../../../shared/source/document.ts'
import type { RenderContext } from '../rendering.ts'
import type { PreparedJob } from './job.ts'
import type { PoolAnswer } from './pool.ts'
import { redact } from './redact.ts'
import { MEMORY_LIMIT } from './ruby-thread.ts'
import type { TemplateFault } from './thread.ts'

/** What is wrong and what may have been meant; where it is to be shown is up to the request. */
export type Finding = Pick<Fault, 'message' | 'suggestion'>

/** The first fault of each template, as one finding. `limit` in milliseconds. */
export function findingOf(
  answer: Exclude<PoolAnswer, { rendered: unknown }>,
  job: PreparedJob,
  context: RenderContext,
  limit: number,
): Finding {
  if ('broken' in answer) {
    const { template, reason } = answer.broken
    const what = reason === 'deadline' ? `did not end within ${limit / 1000} s` : 'ended the interpreter'
    return { message: `template ${job.name}/${template}: ${what}` }
  }
  const findings = answer.faults.map((fault) => describe(fault, job, context))
  if (findings.length === 1) return findings[0]!
  return {
    message: findings
      .map(({ message, suggestion }) => message + (suggestion ? ` (did you mean ${suggestion}?)` : ''))
      .join('; '),
  }
}

function describe(fault: TemplateFault, job: PreparedJob, context: RenderContext): Finding {
  const line = fault.line ?? fault.syntax_line
  const head = `template ${job.name}/${fault.template}${line === null ? '' : ` line ${line}`}`
  const { message, suggestion } = reasonOf(fault, job, context)
  return { message: `${head}: ${message}`, ...(suggestion === undefined ? {} : { suggestion }) }
}

function reasonOf(fault: TemplateFault, job: PreparedJob, context: RenderContext): Finding {
  if (fault.names) return missingProperty(fault.names, fault.source ?? null, job, context)
  if (fault.link !== undefined) return missingLink(fault.link, context)
  if (fault.syntax_line !== null) return { message: `the Ruby in it is not valid: ${syntaxHints(fault.message)}` }
  if (fault.type === 'NoMemoryError') return { message: `it needs more than ${MEMORY_LIMIT / 2 ** 20} MiB of memory` }
  return { message: redact(fault.message, context) }
}

/**
 * A property that exists but has no value was forgotten in the manifest; one that does not exist
 * is a slip in the template.
 */
function missingProperty(
  names: readonly string[],
  link: string | null,
  job: PreparedJob,
  context: RenderContext,
): Finding {
  const whose = link === null ? '' : ` of link "${link}"`
  if (names.length === 0) return { message: `no property is named in the call of p${whose}` }
  if (names.length > 1) {
    return { message: `none of the properties ${names.map((name) => `"${name}"`).join(', ')}${whose} is set` }
  }
  const name = names[0]!
  const known =
    link === null ? [...job.properties, ...leafNames(context.properties)] : leafNames(context.links[link]?.properties)
  const message = `property "${name}"${whose} is not set`
  if (known.includes(name)) return { message }
  return { message, ...suggest(name, known) }
}

function missingLink(name: string, context: RenderContext): Finding {
  return { message: `link "${name}" is not there`, ...suggest(name, Object.keys(context.links)) }
}

/** The remarks of Ruby's parser without the code around them. */
function syntaxHints(message: string): string {
  const hints = [...message.matchAll(/^\s*\|\s*\^~*\s*(.+)$/gm)].map((match) => match[1]!)
  return hints.length > 0 ? [...new Set(hints)].slice(0, 3).join(', ') : message.split('\n')[0]!
}

function leafNames(value: unknown, head = ''): string[] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return head === '' ? [] : [head]
  return Object.entries(value).flatMap(([key, inner]) => leafNames(inner, head === '' ? key : `${head}.${key}`))
}
