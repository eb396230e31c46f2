import type { ActualMaterial } from '../../../../shared/model/material.ts'
import type { RemodelDraft } from '../../../contract/draft.ts'
import type { DatabaseReason } from '../../reasons.ts'
import type { Strategy } from '../strategy.ts'
import type { DatabaseContext } from './database-context.ts'

const deadlineSeconds = 600
const attempts = 5

/** Sequences of a node, as the inspector has found them, by which it may draw a number that another node draws too. */
export function unsharedIn({ meta }: ActualMaterial): string[] {
  return Array.isArray(meta.unshared) ? meta.unshared.map(String) : []
}

/** Ahead of everything, so that a node that is added finds the numbers of those that stand apart from its own. */
export function sharings(
  { nodes, database }: Strategy,
  materials: readonly ActualMaterial[],
  context: DatabaseContext,
): RemodelDraft[] {
  if (nodes.length < 2) return []
  return nodes.flatMap(({ node_name: node }): RemodelDraft[] => {
    const found = materials.find(({ id }) => id === `postgres_database/${node}:${database}`)
    const sequences = found ? unsharedIn(found) : []
    if (sequences.length === 0 || context.restoreOf(node)) return []
    const what = sequences.length > 3 ? `${sequences.length} sequences` : sequences.join(', ')
    return [
      {
        id: `share-sequences node/${node}`,
        step: 'share-sequences',
        action: 'run',
        material: `sequences/${node}`,
        title: `have ${what} of ${node} draw numbers that no other node draws`,
        stage: 'share sequences',
        reasons: [{ code: 'sequences-shared', sequences: [...sequences] } satisfies DatabaseReason],
        input: {
          deployment: context.deployment,
          node,
          database,
          members: context.membersOf(node),
        },
        deadlineSeconds,
        attempts,
      },
    ]
  })
}
