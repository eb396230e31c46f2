import { type ActualMaterial, materialType } from '../../../../shared/model/material.ts'
import type { Fault } from '../../../../shared/runtime/errors.ts'
import { invalidInput } from '../../../../shared/source/document.ts'
import type { RemodelDraft } from '../../../contract/draft.ts'
import type { DatabaseReason } from '../../reasons.ts'
import { closedNodes } from '../closed.ts'
import { findActual, type State } from '../operations/operations.ts'
import type { Strategy } from '../strategy.ts'
import type { DatabaseContext } from './database-context.ts'
import { databaseIsGone } from './gone-database.ts'
import { type Handover, handovers } from './handover.ts'
import { NodeView } from './node-view.ts'

/** A node that the document has no more and that has data. */
export interface Leaving {
  node: string
  /** It takes writes, so it is drained; false: it goes with what it has, as the document or the command allows. */
  drained: boolean
  /** Ahead of everything: a node that is added gets nothing of it but through the others. Else ahead of its removal. */
  first: boolean
  /** Rows that only it has are lost. */
  lost: boolean
}

/** Longer than any peer should need for the log of moments; a peer that is far behind is waited for without this. */
const drainSeconds = 6 * 3600
const attempts = 5

/**
 * Nodes that leave, and what is said of them. Throws `invalid-input` where what only such a node has would be lost,
 * with how much that is, unless it may be. `led`: another server of the node takes over ahead of its removal.
 */
export function leavingNodes(
  strategy: Strategy,
  start: State,
  materials: readonly ActualMaterial[],
  { loss, led = new Set() }: { loss: boolean; led?: ReadonlySet<string> },
): { leaving: Leaving[]; notes: string[] } {
  const byId = new Map(materials.map((material) => [material.id, material]))
  const wanted = new Set(strategy.nodes.map(({ node_name }) => node_name))
  const gone = Object.keys(start.resources['database.node'] ?? {}).filter((node) => !wanted.has(node))
  const stay = [...wanted].filter((node) => findActual(start, 'database.node', node) !== undefined)
  const added = strategy.nodes.filter(({ node_name }) => !stay.includes(node_name))
  const closed = closedNodes(materials)
  const leaving: Leaving[] = []
  const notes: string[] = []
  const faults: Fault[] = []
  for (const node of gone) {
    const view = new NodeView(byId, { node_name: node, instances: null })
    if (!view.servers.some((server) => view.hasData(server))) {
      notes.push(`node ${node} has no data: it goes as it is`)
      continue
    }
    if (closed.get(node) === 'added') {
      notes.push(`node ${node} was being added and has let no client in: it goes as it is`)
      continue
    }
    if (databaseIsGone(materials, node)) {
      notes.push(`node ${node} has no database any more: it goes as it is`)
      continue
    }
    const isSource = added.some(({ source_node }) => source_node === node) || stay.length === 0
    if (!isSource && !view.takesWrites && !isLinked(materials, node)) continue
    const losses = led.has(node) ? [] : lossesOf(materials, view)
    const at = { path: 'nodes' }
    if (losses.length > 0 && !loss) {
      const way = `bring that back first, or deploy with --accept-loss to lose it`
      faults.push({ ...at, message: `node ${node} is to go, with what only it has: ${losses.join('; ')}: ${way}` })
      continue
    }
    const drained = view.takesWrites || led.has(node)
    const heirs = stay.length > 0 || added.some(({ source_node }) => source_node === node)
    leaving.push({ node, drained, first: added.length > 0 && !isSource, lost: losses.length > 0 || !heirs })
    notes.push(
      losses.length > 0
        ? `node ${node} goes with what only it has: ${losses.join('; ')}`
        : `node ${node} goes: its writes end, and it is removed when all other nodes have what it wrote`,
    )
  }
  if (faults.length > 0) throw invalidInput(faults)
  return { leaving, notes }
}

/**
 * A node that leaves without its primary, while those of its servers that answer hold all that was acknowledged: one of
 * them takes over, so that the node can be drained. Where that would lose something, nothing is done.
 */
export function leavingHandovers(
  strategy: Strategy,
  start: State,
  materials: readonly ActualMaterial[],
): { handovers: Handover[]; materials: readonly ActualMaterial[]; notes: string[] } {
  const wanted = new Set(strategy.nodes.map(({ node_name }) => node_name))
  const gone = Object.keys(start.resources['database.node'] ?? {}).filter((node) => !wanted.has(node))
  const closed = closedNodes(materials)
  let seen = materials
  const led: Handover[] = []
  const notes: string[] = []
  for (const node of gone) {
    if (closed.get(node) === 'added' || !isLinked(materials, node) || databaseIsGone(materials, node)) continue
    const { servers, isDrained } = new NodeView(new Map(seen.map((one) => [one.id, one])), {
      node_name: node,
      instances: null,
    })
    if (isDrained) continue
    const found = handovers(seen, [{ node_name: node, instances: servers.map((instance_id) => ({ instance_id })) }], {})
    const [handover] = found.handovers
    if (!handover || handover.how === 'switch-over' || handover.acceptLoss || handover.loss !== undefined) continue
    led.push(handover)
    seen = found.materials
    notes.push(
      `node ${node} goes without its primary ${handover.from}: ${handover.to} has all that it acknowledged, and takes over first`,
    )
  }
  return { handovers: led, materials: seen, notes }
}

/** It was connected once; one that does not answer and was not has never let clients in. */
function isLinked(materials: readonly ActualMaterial[], node: string): boolean {
  return materials.some(
    ({ id, attributes }) => materialType(id) === 'subscription' && attributes.provider_node === node,
  )
}

function lossesOf(materials: readonly ActualMaterial[], view: NodeView): string[] {
  if (view.isDrained) return []
  if (!view.takesWrites) return [`${view.node} does not answer, so the rows that it has not sent cannot be counted`]
  return materials.flatMap(({ meta, attributes }) =>
    typeof meta.stopped === 'string' && attributes.provider_node === view.node
      ? [`${meta.stopped}, and ${meta.waiting} would be lost`]
      : [],
  )
}

/**
 * Throws `invalid-input` where the document has a node again whose removal was cut off behind its drain: the others
 * have sent it nothing since its links went.
 */
export function refuseHalfRemoved(strategy: Strategy, start: State, materials: readonly ActualMaterial[]): void {
  const names = strategy.nodes.map(({ node_name }) => node_name)
  const faults = names.flatMap((node, at): Fault[] => {
    if (materials.find(({ id }) => id === `node/${node}`)?.meta.drain !== 'done') return []
    const lost = names.some((peer) => {
      const id = `${peer}:${node}:${strategy.database}`
      const exists = findActual(start, 'database.node', peer) !== undefined
      return peer !== node && exists && findActual(start, 'database.replication_slot', id) === undefined
    })
    const what = `node ${node} is half removed, and the others have sent it nothing since`
    return lost
      ? [
          {
            path: `nodes[${at}].name`,
            message: `${what}: deploy without it first, then add it again: all that it had is on the others`,
          },
        ]
      : []
  })
  if (faults.length > 0) throw invalidInput(faults)
}

/** What is done ahead of the removal of a node. */
export function drainDraft(
  { node }: Leaving,
  context: DatabaseContext,
  of: { database: string; loss: boolean },
): RemodelDraft {
  const input = {
    deployment: context.deployment,
    node,
    members: context.membersOf(node),
    peers: context.peersOf(node),
    ...of,
  }
  return {
    id: `drain-node node/${node}`,
    step: 'drain-node',
    action: 'run',
    material: `drain/${node}`,
    title: `drain ${node}: end its writes, wait until the other nodes have them`,
    stage: `drain ${node}`,
    reasons: [{ code: 'node-unwanted' } satisfies DatabaseReason],
    input,
    deadlineSeconds: drainSeconds,
    attempts,
  }
}
