import { RemodelError } from '../../../../shared/errors.ts'
import { versioned } from '../../../../shared/input-version.ts'
import { InstanceAttributes, inputs, type Member } from '../../../../shared/kinds/database.ts'
import type { BackUp } from '../../../../shared/kinds/database-actions.ts'
import type { Floorplan } from '../../../../shared/model/material.ts'
import type { PlanDraft } from '../../foreman/draft.ts'
import { backupDraft } from './foreman/archiving.ts'

/**
 * A base backup of every node that is archived, or of those named, all at the same time. Pure. Throws `not-found` for a node that
 * does not stand, `conflict` for one that is not archived: a base backup is of no use without the log.
 */
export function backUp({ deployment, materials }: Floorplan, { nodes }: BackUp): PlanDraft {
  const found = new Map<string, { members: Member[]; of: InstanceAttributes }>()
  for (const { id, attributes } of materials.filter((material) => material.id.startsWith('instance/'))) {
    const of = InstanceAttributes.parse(attributes)
    const member = { instance: id.slice('instance/'.length), vm: of.vm, address: of.address, port: of.port }
    found.set(of.node, { of, members: [...(found.get(of.node)?.members ?? []), member] })
  }
  const wanted =
    nodes.length > 0 ? [...new Set(nodes)] : [...found].flatMap(([node, { of }]) => (of.backup ? node : []))
  if (wanted.length === 0)
    throw new RemodelError('conflict', `no node of ${deployment} has a backup_config: ${deployFirst}`)
  const remodels = wanted.map((node) => {
    const at = found.get(node)
    if (!at) {
      const known = [...found.keys()].join(', ') || 'none'
      throw new RemodelError('not-found', `${deployment} has no node ${node}; it has ${known}`)
    }
    const { backup, database_name: database } = at.of
    if (!backup) throw new RemodelError('conflict', `node ${node} has no backup_config: ${deployFirst}`)
    return backupDraft({
      deployment,
      node,
      database,
      members: at.members,
      keep: backup.keep,
      reason: 'it was asked for',
    })
  })
  return { remodels: versioned(remodels, inputs), windows: [], places: [], notes: [] }
}

const deployFirst = 'its log is not archived; deploy it with one first'
