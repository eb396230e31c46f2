import type { ActualMaterial } from '../../../../shared/model/material.ts'
import type { RemodelDraft } from '../../../contract/draft.ts'
import type { DatabaseReason } from '../../reasons.ts'
import { closedNodes } from '../closed.ts'
import type { Event, NamedPlan, NodeResources, Phase } from '../operations/operations.ts'
import type { DatabaseContext } from './database-context.ts'

/** A node comes to let clients in. */
export interface Opening {
  node: string
  /** Behind this phase it has all its servers and links; undefined: it has them already. */
  behind: Phase | undefined
  draft: RemodelDraft
}

/** Nodes that this plan adds, and those that an earlier one left closed to clients. */
export function openings(
  nodes: readonly NodeResources[],
  materials: readonly ActualMaterial[],
  plans: readonly NamedPlan[],
  context: DatabaseContext,
): Opening[] {
  const closed = closedNodes(materials)
  const phases = plans.flatMap((plan) => plan.phases)
  return nodes.flatMap(({ node_name: node, database_name: database }): Opening[] => {
    if (!context.isAdded(node) && !closed.has(node)) return []
    const resource =
      phases.flat().find(({ type, resource: { identifier } }) => type !== 'delete' && isNode(identifier, node))
        ?.resource ?? context.actual('database.node', node)
    if (!resource) return []
    const input = {
      event: 'update',
      resource,
      deployment: context.deployment,
      node,
      database,
      members: context.keptOf(node),
      peers: nodes.map(({ node_name }) => node_name).filter((name) => name !== node),
    }
    const draft: RemodelDraft = {
      id: `open-node node/${node}`,
      step: 'open-node',
      action: 'update',
      material: `node/${node}`,
      title: `let clients in to ${node}: all other nodes get what is written to it from now on`,
      stage: `open ${node}`,
      reasons: [{ code: context.isAdded(node) ? 'node-added' : 'node-closed' } satisfies DatabaseReason],
      input,
      attempts,
    }
    return [{ node, behind: phases.findLast((phase) => phase.some((event) => concerns(event, node))), draft }]
  })
}

const attempts = 5

const isNode = ({ type, id }: { type: string; id: string }, node: string) => type === 'database.node' && id === node

/** It makes or changes a server, the database or a link of the node. */
function concerns({ type, resource: { attributes, identifier } }: Event, node: string): boolean {
  if (type === 'delete') return false
  const { provider_node, subscriber_node, node_name, node: own } = attributes
  return [provider_node, subscriber_node, node_name, own].includes(node) || isNode(identifier, node)
}
