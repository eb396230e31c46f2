import { effect } from '../../../kinds/deployment/testing/effect.ts'
import { type Execution, type ExecutionOptions, execute as executeAny } from '../../../kinds/testing/execution.ts'
import type { Floorplan } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'

/** Carries a plan of a deployment out, in an order that `choose` picks. */
export function execute(
  plan: Plan,
  before: Floorplan,
  choose: (count: number) => number,
  more: Omit<ExecutionOptions, 'choose'> = {},
): Execution {
  return executeAny(plan, before, effect, { ...more, choose })
}
