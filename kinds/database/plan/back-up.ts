import { versioned } from '../../../shared/model/input-version.ts'
import type { Floorplan } from '../../../shared/model/material.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { PlanDraft } from '../../contract/draft.ts'
import type { BackUp } from '../action-inputs.ts'
import { inputs } from '../inputs.ts'
import { ActualNodes } from './foreman/actual-nodes.ts'
import { backupDraft } from './foreman/archiving.ts'

const deployFirst = 'its log is not archived; deploy it with one first'

/**
 * A base backup of every node that is archived, or of those named, all at the same time. Pure. Throws `not-found` for a
 * node that does not stand, `conflict` for one that is not archived: a base backup is of no use without the log.
 */
export function backUp(seen: Floorplan, { nodes }: BackUp): PlanDraft {
  const actual = new ActualNodes(seen)
  const { deployment, names } = actual
  const archived = names.filter((node) => actual.attributesOf(node)?.backup)
  const wanted = nodes.length > 0 ? [...new Set(nodes)] : archived
  if (wanted.length === 0)
    throw new RemodelError('conflict', `no node of ${deployment} has a backup_config: ${deployFirst}`)
  const remodels = wanted.map((node) => {
    const of = actual.attributesOf(node)
    if (!of) throw actual.unknown('node', node, names)
    if (!of.backup) throw new RemodelError('conflict', `node ${node} has no backup_config: ${deployFirst}`)
    return backupDraft({
      deployment,
      node,
      database: of.database_name,
      members: actual.membersOf(node),
      keep: of.backup.keep,
      reason: { code: 'asked-for' },
    })
  })
  return { remodels: versioned(remodels, inputs), windows: [], permits: [], notes: [] }
}
