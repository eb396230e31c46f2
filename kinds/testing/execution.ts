import type { ActualMaterial, Floorplan } from '../../shared/model/material.ts'
import type { Plan, Remodel } from '../../shared/model/plan.ts'

/** What a finished step of a kind changes in the floorplan. Throws where the world would refuse it. */
export type Effect = (actual: Map<string, ActualMaterial>, remodel: Remodel) => void

export interface Execution {
  floorplan: Floorplan
  /** Ids in the order in which they ended. */
  done: string[]
}

export interface ExecutionOptions {
  /** Which of so many moves comes next; the first one, if left out. */
  choose?: (count: number) => number
  started?: (remodel: Remodel, running: ReadonlySet<string>, actual: ReadonlyMap<string, ActualMaterial>) => void
  /** Ends after so many remodels. */
  most?: number
}

/**
 * Carries a plan of any kind out as the ledger does, in an order that `choose` picks: needs first, permits taken at
 * their first start and given back at its last end. `most` ends it early, as a lost planner would. Throws where
 * nothing can start any more.
 */
export function execute(
  plan: Plan,
  before: Floorplan,
  effect: Effect,
  { choose = () => 0, started, most = Number.POSITIVE_INFINITY }: ExecutionOptions = {},
): Execution {
  const actual = new Map(before.materials.map((material) => [material.id, material]))
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

  while (waiting.size + running.size > 0 && done.size < most) {
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
        started?.(remodel, done, actual)
      }),
      ...[...running].map((remodel) => () => {
        running.delete(remodel)
        done.add(remodel.id)
        effect(actual, remodel)
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
  const floorplan = { ...before, version: before.version + 1, materials: [...actual.values()] }
  return { floorplan, done: [...done] }
}
