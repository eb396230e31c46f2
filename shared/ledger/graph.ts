import type { Plan } from '../model/plan.ts'

/** A plan's graph as `lua/graph.lua` reads it: short names, because every completion decodes some of them. */
export interface StoredGraph {
  /** Remodel -> JSON of its node. */
  nodes: Map<string, string>
  /** Remodels that need nothing, in plan order. */
  roots: string[]
  /** Fields of the `places` hash. */
  places: [string, string | number][]
}

export function graphOf(plan: Plan): StoredGraph {
  const dependants = new Map<string, string[]>(plan.remodels.map((remodel) => [remodel.id, []]))
  for (const remodel of plan.remodels) for (const need of remodel.needs) dependants.get(need)?.push(remodel.id)
  const left = new Map<string, number>()
  const nodes = new Map<string, string>()
  for (const [n, remodel] of plan.remodels.entries()) {
    if (remodel.place !== undefined) left.set(remodel.place, (left.get(remodel.place) ?? 0) + 1)
    nodes.set(
      remodel.id,
      JSON.stringify({
        ...(remodel.queue === null ? { g: remodel.action } : { q: remodel.queue }),
        w: remodel.when,
        p: remodel.place,
        d: dependants.get(remodel.id),
        n,
        t: remodel.deadlineSeconds,
        a: remodel.attempts,
        m: remodel.material,
        x: remodel.weight,
      }),
    )
  }
  const places = plan.places.flatMap((place): [string, string | number][] => [
    [`windows:${place.name}`, JSON.stringify(place.windows)],
    [`left:${place.name}`, left.get(place.name) ?? 0],
  ])
  const roots = plan.remodels.filter((remodel) => remodel.needs.length === 0).map((remodel) => remodel.id)
  return { nodes, roots, places }
}
