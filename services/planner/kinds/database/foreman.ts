import type { Blueprint, Floorplan } from '../../../../shared/model/material.ts'
import type { PlanDraft } from '../../foreman/draft.ts'
import type { PlanOptions } from '../kind.ts'
import { handovers } from './foreman/handover.ts'
import { inStandingOrder } from './foreman/in_order.ts'
import { remodelsOf } from './foreman/remodels.ts'
import { Situation } from './foreman/situation.ts'
import { UpdateDatabase } from './operations/operations.ts'
import { stateOfFloorplan } from './state.ts'
import type { Strategy } from './strategy.ts'

/**
 * Blueprint x floorplan -> plan, by the operations: every event of theirs is a remodel, every phase waits for the one
 * before it, every plan is a stage. Ahead of them comes what they leave to others: a node whose primary is gone gets
 * another one, so that there is somebody to update, and one whose document asks for another primary too. Pure.
 */
export async function foreman(blueprint: Blueprint, floorplan: Floorplan, options: PlanOptions): Promise<PlanDraft> {
  const strategy = blueprint.strategy as unknown as Strategy
  const found = handovers(floorplan.materials, strategy.nodes, strategy.primaries)
  const start = stateOfFloorplan(found.materials)
  const nodes = inStandingOrder(strategy.nodes, start, strategy.primaries)
  const plans = UpdateDatabase(
    {
      careful: true,
      node_update_strategy: strategy.updateStrategy,
      plan_options: { force_update: strategy.force },
      data_loss: strategy.dataLoss || options.remove,
      ...(options.remove ? {} : { hosts: strategy.hosts }),
    },
    start,
    nodes,
  )
  const situation = new Situation(blueprint.deployment, start, nodes, plans)
  const remodels = remodelsOf(plans, found.handovers, situation)
  return { remodels, windows: [], places: [], notes: found.notes }
}
