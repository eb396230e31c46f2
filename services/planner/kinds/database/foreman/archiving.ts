import { type Restore, restoredMaterial } from '../../../../../shared/kinds/database.ts'
import type { Json, StandingMaterial } from '../../../../../shared/model/material.ts'
import type { RemodelDraft } from '../../../foreman/draft.ts'
import { archivesIn } from '../archived.ts'
import type { NodeResources } from '../operations/operations.ts'
import type { Restores } from './restores.ts'
import type { Situation } from './situation.ts'

const longSeconds = 6 * 3600
const attempts = 5

/** A base backup of a node. `node` as the document or the floorplan has it. */
export function backupDraft(of: {
  deployment: string
  node: string
  database: string
  members: Json
  keep: number | null
  reason: string
}): RemodelDraft {
  const { reason, ...input } = of
  return {
    id: `back-up-node archive/${of.node}`,
    step: 'back-up-node',
    action: 'run',
    material: `archive/${of.node}`,
    title: `back up ${of.node}`,
    stage: `back up ${of.node}`,
    reasons: [reason],
    input: input as Json,
    deadlineSeconds: longSeconds,
    attempts,
  }
}

/**
 * Nodes whose log is archived and that have no base backup which goes with it: without one the log is of no use. A node that is
 * restored begins a new line, so its earlier backups do not count.
 */
export function firstBackups(
  nodes: readonly NodeResources[],
  materials: readonly StandingMaterial[],
  situation: Situation,
  { pending }: Restores,
): RemodelDraft[] {
  const seen = archivesIn(materials)
  return nodes.flatMap((node) => {
    const wanted = Object.values(situation.settingsOf(node.node_name))[0]?.backup
    if (!wanted) return []
    const archive = seen.find((one) => one.deployment === situation.deployment && one.node === node.node_name)
    const stands = situation.standing('database.node', node.node_name) !== undefined
    const silent = stands && archive?.now === null && !pending.has(node.node_name)
    const has = archive?.backups.some(({ line }) => line === archive.line)
    if ((has || silent) && !pending.has(node.node_name)) return []
    return [
      backupDraft({
        deployment: situation.deployment,
        node: node.node_name,
        database: node.database_name,
        members: situation.keptOf(node.node_name),
        keep: wanted.keep,
        reason: pending.has(node.node_name) ? 'it is restored' : 'it has no backup yet',
      }),
    ]
  })
}

/** What a restore needs is archived, and looked for, before anything is taken down. One for each source. */
export function preparations({ pending }: Restores, situation: Situation): RemodelDraft[] {
  const sources = new Map<string, Restore>()
  for (const restore of pending.values())
    sources.set(`${restore.deployment}/${restore.node}/${restore.backup}`, restore)
  return [...sources.values()].map((restore) => {
    const members = restore.deployment === situation.deployment ? situation.membersOf(restore.node) : []
    const material = `archive/${restore.deployment}:${restore.node}`
    return {
      id: `prepare-restore ${restore.backup}`,
      step: 'prepare-restore',
      action: 'run',
      material,
      title: `archive ${restore.node} up to now and check backup ${restore.backup}`,
      stage: 'prepare the restore',
      reasons: ['the document asks for a restore'],
      input: { restore, members } as unknown as Json,
      deadlineSeconds: longSeconds,
      attempts,
    }
  })
}

/** A request that has left the document may be made again. */
export function forgetting({ forgotten }: Restores, situation: Situation): RemodelDraft[] {
  return forgotten.map((node) => {
    const material = restoredMaterial(node)
    const resource = { identifier: { type: 'restored', id: node }, attributes: {} }
    return {
      id: `note-resource ${material}`,
      step: 'note-resource',
      action: 'delete',
      material,
      title: `forget that ${node} was restored`,
      stage: 'restore done',
      reasons: ['its restore_config has left the document'],
      input: { event: 'delete', resource, deployment: situation.deployment } as unknown as Json,
      attempts,
    }
  })
}
