import type { Floorplan, StandingMaterial } from '../../../shared/model/material.ts'
import type { Plan, Remodel } from '../../../shared/model/plan.ts'
import { asFloorplan, asMap, effect } from './apply.ts'

export interface Execution {
  floorplan: Floorplan
  /** Ids in the order in which they ended. */
  done: string[]
}

/**
 * Carries a plan out as the ledger does, in an order that `choose` picks: needs first, seats taken at a place's first start and
 * given back at its last end. `most` ends it early, as a lost planner would. Throws where nothing can start any more.
 */
export function execute(
  plan: Plan,
  before: Floorplan,
  choose: (count: number) => number,
  watch: {
    started?: (remodel: Remodel, running: ReadonlySet<string>, standing: ReadonlyMap<string, StandingMaterial>) => void
    most?: number
  } = {},
): Execution {
  const standing = asMap(before)
  const waiting = new Set(plan.remodels)
  const running = new Set<Remodel>()
  const done = new Set<string>()
  const limit = new Map(plan.windows.map((window) => [window.name, window.limit]))
  const windowsOf = new Map(plan.places.map((place) => [place.name, place.windows]))
  const left = new Map<string, number>()
  for (const { place } of plan.remodels) if (place !== undefined) left.set(place, (left.get(place) ?? 0) + 1)
  const seats = new Map<string, Set<string>>(plan.windows.map((window) => [window.name, new Set()]))
  const hasSeat = (place: string) =>
    (windowsOf.get(place) ?? []).every(
      (name) => seats.get(name)?.has(place) || (seats.get(name)?.size ?? 0) < (limit.get(name) ?? 0),
    )

  while (waiting.size + running.size > 0 && done.size < (watch.most ?? Number.POSITIVE_INFINITY)) {
    const ready = [...waiting].filter(
      (remodel) =>
        remodel.needs.every((need) => done.has(need)) && (remodel.place === undefined || hasSeat(remodel.place)),
    )
    const moves: (() => void)[] = [
      ...ready.map((remodel) => () => {
        waiting.delete(remodel)
        running.add(remodel)
        if (remodel.place !== undefined)
          for (const name of windowsOf.get(remodel.place) ?? []) seats.get(name)?.add(remodel.place)
        watch.started?.(remodel, done, standing)
      }),
      ...[...running].map((remodel) => () => {
        running.delete(remodel)
        done.add(remodel.id)
        effect(standing, remodel)
        if (remodel.place === undefined) return
        left.set(remodel.place, (left.get(remodel.place) ?? 1) - 1)
        if (left.get(remodel.place) === 0)
          for (const name of windowsOf.get(remodel.place) ?? []) seats.get(name)?.delete(remodel.place)
      }),
    ]
    const move = moves[choose(moves.length)]
    if (!move) throw new Error(`stuck: ${[...waiting].map((remodel) => remodel.id).join(', ')}`)
    move()
  }
  return { floorplan: asFloorplan(before, standing), done: [...done] }
}
