import { versioned } from '../../../shared/model/input-version.ts'
import { type ActualMaterial, type Blueprint, type Floorplan, materialName } from '../../../shared/model/material.ts'
import { ReservedNames } from '../../../shared/model/reservation.ts'
import type { PlanDraft } from '../../contract/draft.ts'
import type { Known, PlanOptions } from '../../contract/kind.ts'
import { inputs } from '../inputs.ts'
import { archivesIn } from './archived.ts'
import { closedNodes } from './closed.ts'
import { firstBackups, forgetting, preparations } from './foreman/archiving.ts'
import { asideNotes, laidAside } from './foreman/aside.ts'
import { copiedExtensions } from './foreman/copied-extensions.ts'
import { DatabaseContext } from './foreman/database-context.ts'
import { degradedNotes, tableNotes } from './foreman/degraded.ts'
import { refuseGoneDatabases } from './foreman/gone-database.ts'
import { handovers } from './foreman/handover.ts'
import { heldServers } from './foreman/held.ts'
import { refuseOtherIdentity } from './foreman/identity.ts'
import { impactOf } from './foreman/impact.ts'
import { inStandingOrder } from './foreman/in-order.ts'
import { drainDraft, leavingHandovers, leavingNodes, refuseHalfRemoved } from './foreman/leaving.ts'
import { lostLinks } from './foreman/lost-links.ts'
import { openings } from './foreman/openings.ts'
import { remodelsOf } from './foreman/remodels.ts'
import { renamedNodes } from './foreman/renaming.ts'
import { refuseBesideRenaming, renamingRemodels, renamingTexts } from './foreman/renaming-remodels.ts'
import { refuseOtherChanges, restoresToDo } from './foreman/restores.ts'
import { heirOf, originOf, restorePlans, takesDown } from './foreman/restoring.ts'
import { sharings } from './foreman/sequences.ts'
import { lowerings, rehearsals } from './foreman/settings.ts'
import { userNotes } from './foreman/users.ts'
import { UpdateDatabase } from './operations/operations.ts'
import { unfinishedSource } from './operations/unfinished.ts'
import { holdings, refuseReserved } from './reservations.ts'
import { stateOfFloorplan } from './state.ts'
import type { Strategy } from './strategy.ts'

/**
 * Blueprint x floorplan -> plan, by the operations: every event of theirs is a remodel, every phase waits for the one
 * before it, every plan is a stage. Ahead of them comes what they leave to others: a node whose primary is gone gets
 * another one, so that there is an instance to update, and one whose document asks for another primary too; and what a
 * restore needs is made sure of. Behind them come base backups of nodes that have none. Pure.
 */
export async function foreman(
  blueprint: Blueprint<Strategy>,
  floorplan: Floorplan,
  options: PlanOptions,
  { observations = [], reserved = new ReservedNames() }: Known = {},
): Promise<PlanDraft> {
  const { strategy } = blueprint
  refuseReserved(strategy, reserved)
  const { renamings, materials, archives } = renamedNodes(strategy, floorplan.materials, archivesIn(observations))
  if (!options.remove) refuseOtherIdentity(strategy, strategy.nodes, stateOfFloorplan(materials))
  const restores = restoresToDo(strategy, stateOfFloorplan(materials), materials, archives)
  if (!options.remove) refuseGoneDatabases(strategy, materials, restores)
  const kept = strategy.nodes.filter(({ node_name }) => !restores.pending.has(node_name))
  const recorded = stateOfFloorplan(materials)
  const filling = kept.filter((node) => unfinishedSource(recorded, node) !== undefined)
  const staying = handovers(materials, kept, strategy.primaries, {
    acceptLoss: options.acceptLoss ?? false,
    filling: new Set(filling.map(({ node_name }) => node_name)),
  })
  const led = options.remove
    ? { handovers: [], materials: staying.materials, notes: [] }
    : leavingHandovers(strategy, recorded, staying.materials)
  const found = { ...staying, handovers: [...staying.handovers, ...led.handovers] }
  refuseBesideRenaming(renamings, strategy, {
    handovers: [...found.handovers, ...found.late],
    restores: restores.pending,
  })
  // A restore, and the end of a deployment, take every server of a node.
  const full = heldServers(led.materials, options.remove ? [] : kept)
  const start = stateOfFloorplan(full.materials)
  const aside = options.remove ? new Map<string, string>() : laidAside(strategy, start, materials, restores)
  const primaries = { ...strategy.primaries, ...Object.fromEntries(restores.restored), ...Object.fromEntries(aside) }
  const nodes = inStandingOrder(strategy.nodes, start, primaries).map((node) => originOf(node, start, restores, aside))
  const down = takesDown(start, restores)
  if (down) refuseOtherChanges(strategy, start, nodes, restores)
  const plans = down
    ? restorePlans(strategy, start, nodes, restores)
    : UpdateDatabase(
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
  const loss = (options.acceptLoss ?? false) || strategy.dataLoss
  const { leaving, notes: going } = options.remove
    ? { leaving: [], notes: [] }
    : leavingNodes(strategy, start, materials, { loss, led: new Set(led.handovers.map(({ node }) => node)) })
  if (!options.remove) refuseHalfRemoved(strategy, start, materials)
  const missing = options.remove
    ? []
    : lostLinks(strategy, materials, {
        loss,
        restored: new Set(restores.pending.keys()),
        urgent: found.handovers.length > 0,
      })
  const restored = nodes.filter(({ node_name }) => restores.pending.has(node_name))
  const heirs = new Map(restored.map((node) => [node.node_name, heirOf(strategy, start, node)]))
  const context = new DatabaseContext(
    blueprint.deployment,
    { start, nodes, plans },
    {
      ...restores,
      heirs,
      aside,
      closed: closedNodes(materials),
      held: full.held,
      loss,
    },
  )
  const all = Object.keys(recorded.resources['database.node'] ?? {})
  const lost = new Set(options.remove ? all : leaving.flatMap((one) => (one.lost ? [one.node] : [])))
  const remodels = remodelsOf(plans, found, context, {
    lost,
    renamings: renamingRemodels(renamings, strategy, context),
    before: [
      ...preparations(restores, context),
      ...rehearsals(nodes, context),
      ...sharings(strategy, materials, context),
    ],
    drains: leaving
      .filter(({ drained }) => drained)
      .map((one) => ({ ...one, draft: drainDraft(one, context, { database: strategy.database, loss }) })),
    openings: options.remove ? [] : openings(nodes, materials, plans, context),
    after: [
      ...lowerings(nodes, context),
      ...copiedExtensions(plans, context),
      ...forgetting(restores, context),
      ...firstBackups(nodes, archives, context, restores),
    ],
  })
  const { pending } = restores
  const handed = { plans, handovers: [...staying.handovers, ...found.late], pending, archives }
  const impact = options.remove ? [] : impactOf(nodes, context, handed)
  const notes = [
    ...found.notes,
    ...full.notes,
    ...userNotes(nodes, context),
    ...keptData(materials),
    ...(options.remove ? [] : [...degradedNotes(materials), ...tableNotes(materials)]),
  ]
  return {
    remodels: versioned(remodels, inputs),
    windows: [],
    permits: [],
    reservations: holdings(blueprint.materials),
    consequences: [
      ...renamingTexts(renamings, context),
      ...asideNotes(aside),
      ...missing,
      ...led.notes,
      ...going,
      ...impact,
    ],
    notes,
  }
}

/** Data that was put aside is a person's to look at: every plan says where it lies. */
function keptData(materials: readonly ActualMaterial[]): string[] {
  return materials.flatMap(({ id, meta }) => {
    const kept = Array.isArray(meta.kept) ? meta.kept : []
    const instance = materialName(id)
    return kept.map(
      (path) => `${instance} keeps data that its primary does not have, in ${path}: look at it, then remove it`,
    )
  })
}
