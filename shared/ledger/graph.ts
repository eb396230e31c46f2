import type { Plan, Remodel } from '../model/plan.ts'

/** A remodel as planned; the needs of one that needs very many are a list beside it. */
export type StoredRemodel = Omit<Remodel, 'needs'> & { needs: string[] | null }

/**
 * A plan's graph as `lua/graph.lua` reads it: short names, because every completion decodes some of them. No value is
 * longer than `partSize` names, however wide the plan is: a script that decodes one must not hold Redis for long.
 */
export interface StoredGraph {
  /** Remodel -> JSON of its node. */
  nodes: Map<string, string>
  /** Remodel -> JSON of a `StoredRemodel`. */
  remodels: Map<string, string>
  /** `<k> <list>` -> JSON of part k of a long list. */
  lists: [string, string][]
  /** Fields of the hash `places`: what permits are of. */
  places: [string, string | number][]
  queues: string[]
}

export function graphOf(plan: Plan, partSize: number): StoredGraph {
  const dependants = new Map<string, string[]>(plan.remodels.map((remodel) => [remodel.id, []]))
  for (const remodel of plan.remodels) for (const need of remodel.needs) dependants.get(need)?.push(remodel.id)
  const left = new Map<string, number>()
  const nodes = new Map<string, string>()
  const remodels = new Map<string, string>()
  const lists = [
    ...inParts(
      'order',
      plan.remodels.map(({ id }) => id),
      partSize,
    ),
    ...inParts(
      'roots',
      plan.remodels.filter(({ needs }) => needs.length === 0).map(({ id }) => id),
      partSize,
    ),
    ...inParts('places', plan.permits, partSize),
    ...inParts('windows', plan.windows, partSize),
  ]
  for (const [n, remodel] of plan.remodels.entries()) {
    if (remodel.permit !== undefined) left.set(remodel.permit, (left.get(remodel.permit) ?? 0) + 1)
    const told = dependants.get(remodel.id)!
    nodes.set(remodel.id, JSON.stringify(nodeOf(remodel, n, told, partSize)))
    lists.push(...inParts(`dependants ${remodel.id}`, told.slice(partSize), partSize))
    const isWide = remodel.needs.length > partSize
    remodels.set(remodel.id, JSON.stringify(isWide ? { ...remodel, needs: null } : remodel))
    if (isWide) lists.push(...inParts(`needs ${remodel.id}`, remodel.needs, partSize))
  }
  const queues = [...new Set(plan.remodels.flatMap(({ queue }) => queue ?? []))]
  return { nodes, remodels, lists, places: permitsOf(plan, left), queues }
}

/** The parts of a list of the hash `lists`, as its fields. */
function inParts(list: string, items: readonly unknown[], partSize: number): [string, string][] {
  return Array.from({ length: Math.ceil(items.length / partSize) }, (_, k) => [
    `${k} ${list}`,
    JSON.stringify(items.slice(k * partSize, (k + 1) * partSize)),
  ])
}

function nodeOf(remodel: Remodel, n: number, dependants: readonly string[], partSize: number) {
  return {
    ...(remodel.queue === null ? { g: remodel.action } : { q: remodel.queue }),
    w: remodel.when,
    p: remodel.permit,
    d: dependants.slice(0, partSize),
    ...(dependants.length > partSize ? { more: true } : {}),
    n,
    t: remodel.deadlineSeconds,
    a: remodel.attempts,
    m: remodel.material,
    o: remodel.opens,
    c: remodel.closes,
    x: remodel.weight,
  }
}

/** Permits of the same windows stand in one line: what is said of the first is true of all. */
function permitsOf(plan: Plan, left: ReadonlyMap<string, number>): [string, string | number][] {
  const lines = new Map<string, number>()
  const fields: [string, string | number][] = []
  for (const permit of plan.permits) {
    const windows = JSON.stringify(permit.windows)
    let line = lines.get(windows)
    if (line === undefined) {
      line = lines.size
      lines.set(windows, line)
      fields.push([`windows:${line}`, windows])
    }
    fields.push([`of:${permit.name}`, line], [`left:${permit.name}`, left.get(permit.name) ?? 0])
  }
  return fields
}
