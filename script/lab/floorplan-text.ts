import type { Style } from '../../cli/views/style.ts'
import { changeLines, value } from '../../cli/views/value.ts'
import { diffMaterials } from '../../kinds/contract/diff.ts'
import type { Told } from '../../kinds/testing/kit.ts'
import type { ActualMaterial, Attributes, Floorplan } from '../../shared/model/material.ts'

/** Fields of a new material or one that is listed; more than these are counted. */
const most = 5

/** What exists, a line a material with its fields, and what was seen beside it. */
export function floorplanLines(
  { deployment, version, materials }: Floorplan,
  seen: readonly Told[],
  verbose: boolean,
): string[] {
  if (materials.length === 0) return [`Nothing of ${deployment} exists (floorplan version ${version}).`]
  const lines = materials
    .toSorted(byId)
    .map(({ id, attributes, meta }) => ({ id, text: fields(attributes, meta, verbose) }))
  return [
    `Floorplan of ${deployment}, version ${version}:`,
    ...columns(lines),
    ...(seen.length === 0
      ? []
      : ['Seen beside it:', ...columns(seen.map(({ subject, text }) => ({ id: subject, text })))]),
  ]
}

/** What carrying a plan out has changed. */
export function changedLines(before: Floorplan, after: Floorplan, style: Style): string[] {
  const differences = diffMaterials(after.materials, before.materials).sort(byId)
  return differences.flatMap((one) => {
    if (one.how === 'create') return [`  ${style.green('+')} ${one.id}`]
    if (one.how === 'delete') return [`  ${style.red('-')} ${one.id}`]
    const changes = one.changes.slice(0, most)
    const more = one.changes.length - changes.length
    return [
      `  ${style.yellow('~')} ${one.id}`,
      ...changeLines(changes, style, false).map((line) => `      ${line}`),
      ...(more > 0 ? [`      and ${more} more`] : []),
    ]
  })
}

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)

function columns(lines: readonly { id: string; text: string }[]): string[] {
  const width = Math.max(...lines.map(({ id }) => id.length))
  return lines.map(({ id, text }) => `  ${id.padEnd(width)}  ${text}`.trimEnd())
}

/** Without the book-keeping of a kind; digests, which mean nothing to people, where all is wanted. */
function fields(attributes: Attributes, { resource: _, ...meta }: ActualMaterial['meta'], verbose: boolean): string {
  const all = Object.entries({ ...attributes, ...meta })
  const told = verbose ? all : all.filter(([, of]) => !/[0-9a-f]{32}/.test(JSON.stringify(of)))
  const shown = verbose ? told : told.slice(0, most)
  const more = told.length > shown.length ? [`and ${told.length - shown.length} more`] : []
  return [...shown.map(([name, of]) => `${name}: ${value(of, verbose)}`), ...more].join(', ')
}
