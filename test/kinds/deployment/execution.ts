import type { Floorplan, StandingMaterial } from '../../../shared/model/material.ts'
import type { Plan, Remodel } from '../../../shared/model/plan.ts'
import { asFloorplan, asMap, effect } from './apply.ts'

export interface Execution {
  floorplan: Floorplan
  /** Ids in the order in which they ended. */
  done: string[]
}

/**
 * Carries a plan out as the ledger does, in an order that `choose` picks: needs first, permits taken at their
 * first start and given back at its last end. `most` ends it early, as a lost planner would. Throws where
 * nothing can start any more.
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
  const windowsOf = new Map(plan.permits.map((permit) => [permit.name, permit.windows]))
  const left = new Map<string, number>()
  for (const { permit } of plan.remodels) if (permit !== undefined) left.set(permit, (left.get(permit) ?? 0) + 1)
  const held = new Map<string, Set<string>>(plan.windows.map((window) => [window.name, new Set()]))
  const hasPermit = (permit: string) =>
    (windowsOf.get(permit) ?? []).every(
      (name) => held.get(name)?.has(permit) || (held.get(name)?.size ?? 0) < (limit.get(name) ?? 0),
    )

  while (waiting.size + running.size > 0 && done.size < (watch.most ?? Number.POSITIVE_INFINITY)) {
    const ready = [...waiting].filter(
      (remodel) =>
        remodel.needs.every((need) => done.has(need)) && (remodel.permit === undefined || hasPermit(remodel.permit)),
    )
    const moves: (() => void)[] = [
      ...ready.map((remodel) => () => {
        waiting.delete(remodel)
        running.add(remodel)
        if (remodel.permit !== undefined)
          for (const name of windowsOf.get(remodel.permit) ?? []) held.get(name)?.add(remodel.permit)
        watch.started?.(remodel, done, standing)
      }),
      ...[...running].map((remodel) => () => {
        running.delete(remodel)
        done.add(remodel.id)
        effect(standing, remodel)
        if (remodel.permit === undefined) return
        left.set(remodel.permit, (left.get(remodel.permit) ?? 1) - 1)
        if (left.get(remodel.permit) === 0)
          for (const name of windowsOf.get(remodel.permit) ?? []) held.get(name)?.delete(remodel.permit)
      }),
    ]
    const move = moves[choose(moves.length)]
    if (!move) throw new Error(`stuck: ${[...waiting].map((remodel) => remodel.id).join(', ')}`)
    move()
  }
  return { floorplan: asFloorplan(before, standing), done: [...done] }
}
