import { CompileVmSpec, type PrewarmHints } from '../../../shared/compilation/prewarm-hints.ts'
import type { Plan } from '../../../shared/model/plan.ts'

/**
 * The compile VMs that a plan wants as soon as it is carried out: one for each package that waits for no other, no more
 * than its window lets in. Pure.
 */
export function wishesOf(plan: Pick<Plan, 'remodels' | 'windows'>): { wish: CompileVmSpec; count: number }[] {
  let left = plan.windows.find(({ name }) => name === 'compile')?.limit ?? 0
  const first = plan.remodels.filter(({ queue, needs }) => queue === 'compile' && needs.length === 0)
  const kinds = Map.groupBy(first, ({ input }) => JSON.stringify(CompileVmSpec.parse(input)))
  return [...kinds].flatMap(([kind, all]) => {
    const count = Math.min(all.length, left)
    left -= count
    return count > 0 ? [{ wish: JSON.parse(kind) as CompileVmSpec, count }] : []
  })
}

/**
 * Lets compilers make VMs while the plan is read and approved. The plan does not wait for it, and nothing
 * is lost where it fails.
 */
export function prewarmFor(plan: Plan, prewarm: PrewarmHints): void {
  const wishes = wishesOf(plan)
  if (wishes.length > 0) prewarm.ask(plan.id, wishes).catch(() => {})
}
