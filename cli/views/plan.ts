import { materialName, materialType } from '../../shared/model/material.ts'
import type { Action, Change, Plan, Remodel } from '../../shared/model/plan.ts'
import { phraseOf, type SayReason } from '../../shared/model/reason.ts'
import { count } from './table.ts'

/** What happens to one material, all its remodels taken together. */
export type Deed = 'create' | 'update' | 'replace' | 'delete' | 'compile' | 'run' | 'approve' | 'gate' | 'barrier'

/** One material within one stage. */
export interface Entry {
  deed: Deed
  material: string
  title: string
  /** Phrases. */
  reasons: string[]
  changes: Change[]
  destructive: boolean
  remodels: Remodel[]
}

export interface Stage {
  name: string
  entries: Entry[]
}

export interface PlanModel {
  verdict: string
  changes: number
  counts: Record<Deed, number>
  stages: Stage[]
  destructive: boolean
}

/**
 * A plan as people read it: a verdict, then stages in plan order, in each one entry per material.
 * Counts are of materials, not of remodels: preparing, stopping and starting one instance is one update.
 */
export function readPlan(
  plan: Plan,
  options: { barriers: boolean; deviates?: boolean; say?: SayReason | undefined },
): PlanModel {
  const told = options.barriers ? plan.remodels : withoutDetails(plan.remodels)
  const shown = told.filter((remodel) => options.barriers || remodel.action !== 'barrier')
  const stages = [...groupBy(shown, (remodel) => remodel.stage)].map(([name, remodels]) => ({
    name,
    entries: [...groupBy(remodels, (remodel) => remodel.material)].map(([material, group]) =>
      entry(material, group, options.say),
    ),
  }))
  const counts = countDeeds(told)
  const { barrier: _barrier, approve: _approve, gate: _gate, ...works } = counts
  const changes = Object.values(works).reduce((sum, n) => sum + n, 0)
  return {
    verdict: verdict(plan.deployment, { counts, changes, deviates: options.deviates === true }),
    changes,
    counts,
    stages,
    destructive: plan.remodels.some((remodel) => remodel.destructive),
  }
}

/** Where a plan is of details alone they are what there is to say. */
function withoutDetails(remodels: readonly Remodel[]): readonly Remodel[] {
  const told = remodels.filter(({ detail }) => detail !== true)
  return told.some(({ action }) => action !== 'barrier' && action !== 'gate') ? told : remodels
}

/** True where carrying the plan out would do nothing at all. */
export function isEmpty(plan: Plan): boolean {
  return plan.remodels.every((remodel) => remodel.action === 'barrier')
}

/** `web/0` for an instance, `package zlib/3f2a` for what is no instance. */
function subject(material: string): string {
  const type = materialType(material)
  const name = materialName(material)
  return type === 'instance' ? name : `${type} ${name}`
}

function verdict(
  deployment: string,
  { counts, changes, deviates }: Pick<PlanModel, 'counts' | 'changes'> & { deviates: boolean },
): string {
  const waits = [counts.gate > 0 ? 'its time' : '', counts.approve > 0 ? count(counts.approve, 'approval') : ''].filter(
    Boolean,
  )
  const gates = waits.length > 0 ? `; waits for ${waits.join(' and ')}` : ''
  if (changes === 0) return `No changes${deviates ? '' : `. ${deployment} stands as written`}${gates}.`
  const parts = [
    part(counts.create, 'to create'),
    part(counts.update, 'to update'),
    part(counts.replace, 'to replace'),
    part(counts.delete, 'to delete'),
    part(counts.run, 'to run'),
    counts.compile > 0 ? `${count(counts.compile, 'package')} to compile` : '',
  ].filter(Boolean)
  return `${count(changes, 'change')}: ${parts.join(', ')}${gates}.`
}

function part(number: number, what: string): string {
  return number > 0 ? `${number} ${what}` : ''
}

function countDeeds(all: readonly Remodel[]): Record<Deed, number> {
  const counts: Record<Deed, number> = {
    create: 0,
    update: 0,
    replace: 0,
    delete: 0,
    compile: 0,
    run: 0,
    approve: 0,
    gate: 0,
    barrier: 0,
  }
  const doing = all.filter(({ action }) => {
    const rests = action === 'approve' || action === 'gate' || action === 'barrier'
    if (rests) counts[action]++
    return !rests
  })
  for (const [, group] of groupBy(doing, (remodel) => remodel.material)) counts[deed(group)]++
  return counts
}

function entry(material: string, remodels: Remodel[], say: SayReason | undefined): Entry {
  return {
    deed: deed(remodels),
    material,
    title: title(material, remodels),
    reasons: unique(remodels.flatMap(({ reasons }) => reasons.map((reason) => phraseOf(reason, say)))),
    changes: uniqueBy(
      remodels.flatMap((remodel) => remodel.changes),
      (change) => JSON.stringify(change),
    ),
    destructive: remodels.some((remodel) => remodel.destructive),
    remodels,
  }
}

function deed(remodels: readonly Remodel[]): Deed {
  const actions = new Set<Action>(remodels.map((remodel) => remodel.action))
  if (actions.has('replace') || (actions.has('create') && actions.has('delete'))) return 'replace'
  const order: Deed[] = ['delete', 'create', 'update', 'run', 'compile', 'approve', 'gate']
  return order.find((candidate) => actions.has(candidate)) ?? 'barrier'
}

/** One remodel speaks for itself; several of one material become `web/0: prepare instance, stop instance`. */
function title(material: string, remodels: readonly Remodel[]): string {
  const titles = unique(remodels.map((remodel) => remodel.title))
  if (titles.length === 1 && titles[0] !== undefined) return titles[0]
  const verbs = remodels.flatMap(({ verb }) => verb ?? [])
  const [first, ...others] = new Set(remodels.map((remodel) => remodel.subject))
  return first !== undefined && others.length === 0 && verbs.length === remodels.length
    ? `${first}: ${unique(verbs).join(', ')}`
    : `${subject(material)}: ${titles.join(', ')}`
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, key)
}

function unique(items: readonly string[]): string[] {
  return [...new Set(items)]
}

function uniqueBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()]
}
