import type { Json } from '../../shared/model/material.ts'
import type { Change } from '../../shared/model/plan.ts'
import { padEnd, plain, type Style } from './style.ts'

const LONGEST = 72

/**
 * A value on one line, as YAML would write it in flow style: digests short, long ones cut. `whole`
 * leaves both as they are.
 */
export function value(json: Json, whole = false): string {
  const text = plain(flow(json))
  if (whole) return text
  const short = text.replace(/\b([0-9a-f]{12})[0-9a-f]{20,}\b/g, '$1…')
  return short.length > LONGEST ? `${short.slice(0, LONGEST - 1)}…` : short
}

function flow(json: Json): string {
  if (typeof json === 'string')
    return /^[\w./@%+~-][\w./:@%+~ -]*$/.test(json) && !json.endsWith(' ') ? json : JSON.stringify(json)
  if (Array.isArray(json)) return `[${json.map(flow).join(', ')}]`
  if (typeof json !== 'object' || json === null) return String(json)
  return `{${Object.entries(json)
    .map(([key, inner]) => `${key}: ${flow(inner)}`)
    .join(', ')}}`
}

/** One line per changed field: `path: before -> after`, paths padded to one column. */
export function changeLines(changes: readonly Change[], style: Style, whole: boolean): string[] {
  const longest = Math.min(40, Math.max(0, ...changes.map((change) => change.path.length + 1)))
  return changes.map((change) => {
    const path = style.dim(padEnd(`${change.path}:`, longest))
    const before = change.before === undefined ? undefined : style.red(value(change.before, whole))
    const after = change.after === undefined ? undefined : style.green(value(change.after, whole))
    if (before === undefined) return `${path} ${after ?? ''}`
    return `${path} ${before} ${style.dim('->')} ${after ?? style.dim('(removed)')}`
  })
}
