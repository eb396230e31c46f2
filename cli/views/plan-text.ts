import type { Compiling } from '../../shared/api/schemas/compiling.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { SayReason } from '../../shared/model/reason.ts'
import { compilingLine, packageNotes } from './compiling.ts'
import { type Deed, type Entry, readPlan, type Stage } from './plan.ts'
import { padEnd, plain, type Style, width } from './style.ts'
import { changeLines, value } from './value.ts'

/** Symbol of what happens to a material. */
const symbols: Record<Deed, string> = {
  create: '+',
  update: '~',
  replace: '±',
  delete: '-',
  compile: '*',
  run: '>',
  approve: '?',
  gate: '@',
  barrier: '|',
}

/** Reasons begin in one column of a stage, unless a title is longer than this. */
const TITLES = 44
/** How many fields of one material are shown; the rest is counted. */
const FIELDS = 6
/** From this number of alike entries on, only the first two are shown. */
const ALIKE = 5

export interface PlanTextOptions {
  verbose: boolean
  style: Style
  /** Lines that say how to go on from here. */
  next: readonly string[]
  /** How its kind says its reasons. */
  say?: SayReason | undefined
  /** How its packages stand at this moment, where the planner said it. */
  compiling?: Compiling | null
  /** The deployment is not as it was recorded, though nothing of it would be changed. */
  deviates?: boolean
}

/** The plan for people: verdict first, then what changes by stage with its reasons, notes, and how to go on. */
export function planLines(plan: Plan, options: PlanTextOptions): string[] {
  const { style, verbose } = options
  const model = readPlan(plan, { barriers: verbose, deviates: options.deviates ?? false, say: options.say })
  const lines = [style.bold(plain(model.verdict))]
  lines.push(...(plan.consequences ?? []).map((what) => `  ${plain(what)}`))
  if (options.compiling) lines.push(plain(compilingLine(options.compiling)))
  const notes = packageNotes(options.compiling ?? null, Date.now())
  for (const stage of model.stages)
    lines.push('', `  ${style.bold(plain(stage.name))}`, ...stageLines(stage, options, notes))
  if (plan.notes.length > 0) {
    lines.push('', `  ${style.bold('Notes')}`, ...plan.notes.map((note) => `    ${style.yellow('!')} ${plain(note)}`))
  }
  if (model.changes > 0 && model.destructive) {
    lines.push('', style.red('Data is lost where it says so, and no deploy brings it back.'))
  }
  if (options.next.length > 0) lines.push('', ...options.next)
  return lines
}

/** Entries that differ in nothing but their name are folded, so that a fleet of hundreds stays readable. */
function stageLines(stage: Stage, options: PlanTextOptions, notes: ReadonlyMap<string, string>): string[] {
  const { style, verbose } = options
  const alike = Map.groupBy(stage.entries, likeness)
  const told = new Set<string>()
  const titles = Math.min(TITLES, Math.max(...stage.entries.map((entry) => width(heading(entry, style)))))
  return stage.entries.flatMap((entry) => {
    const key = likeness(entry)
    const group = alike.get(key) ?? []
    if (verbose || group.length < ALIKE || group.indexOf(entry) < 2) return entryLines(entry, titles, options, notes)
    if (told.has(key)) return []
    told.add(key)
    const names = `${plain(group[2]?.title ?? '')} to ${plain(group.at(-1)?.title ?? '')}`
    return [
      `    ${paint(style, entry.deed)(symbols[entry.deed])} ${style.dim(`${group.length - 2} more alike: ${names}`)}`,
    ]
  })
}

function likeness(entry: Entry): string {
  return JSON.stringify([entry.deed, entry.destructive, entry.reasons, entry.changes.map((change) => change.path)])
}

function entryLines(
  entry: Entry,
  titles: number,
  options: PlanTextOptions,
  notes: ReadonlyMap<string, string>,
): string[] {
  const { style, verbose } = options
  const color = paint(style, entry.deed)
  const reasons = style.dim(
    plain([...entry.reasons, ...entry.remodels.flatMap(({ id }) => notes.get(id) ?? [])].join('; ')),
  )
  const lines = [`    ${color(symbols[entry.deed])} ${padEnd(heading(entry, style), titles)}  ${reasons}`.trimEnd()]
  lines.push(...fieldLines(entry, options).map((line) => `        ${line}`))
  if (verbose) {
    for (const remodel of entry.remodels) {
      const needs = remodel.needs.length > 0 ? ` after ${remodel.needs.join(', ')}` : ''
      lines.push(style.dim(`        ${plain(remodel.id)}${plain(needs)}`))
    }
  }
  return lines
}

/** A new material has no before: its fields fit on one line, without the digests that mean nothing to people. */
function fieldLines(entry: Entry, { style, verbose }: PlanTextOptions): string[] {
  if (verbose) return changeLines(entry.changes, style, true)
  if (entry.changes.every((change) => change.before === undefined)) {
    const told = entry.changes.filter((change) => !/[0-9a-f]{32}/.test(JSON.stringify(change.after ?? null)))
    return told.length === 0
      ? []
      : [style.dim(told.map((change) => `${change.path}: ${value(change.after ?? null)}`).join(', '))]
  }
  const hidden = entry.changes.length - FIELDS
  const more = hidden > 0 ? [style.dim(`and ${hidden} more (--verbose shows all)`)] : []
  return [...changeLines(entry.changes.slice(0, FIELDS), style, false), ...more]
}

function heading(entry: Entry, style: Style): string {
  return plain(entry.title) + (entry.destructive ? ` ${style.red('(data is lost)')}` : '')
}

function paint(style: Style, deed: Deed): (text: string) => string {
  const colors: Record<Deed, (text: string) => string> = {
    create: style.green,
    update: style.yellow,
    replace: style.magenta,
    delete: style.red,
    compile: style.cyan,
    run: style.cyan,
    approve: style.yellow,
    gate: style.yellow,
    barrier: style.dim,
  }
  return colors[deed]
}
