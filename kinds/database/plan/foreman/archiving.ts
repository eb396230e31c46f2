import type { Json } from '../../../../shared/model/material.ts'
import type { RemodelDraft } from '../../../contract/draft.ts'
import { type Restore, restoredMaterial } from '../../inputs.ts'
import type { DatabaseReason } from '../../reasons.ts'
import type { ArchiveSeen } from '../archived.ts'
import type { NodeResources } from '../operations/operations.ts'
import type { DatabaseContext } from './database-context.ts'
import type { Restores } from './restores.ts'

const longSeconds = 6 * 3600
const attempts = 5

/** A base backup of a node. `node` as the document or the floorplan has it. */
export function backupDraft(of: {
  deployment: string
  node: string
  database: string
  members: Json
  keep: number | null
  reason: DatabaseReason
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
    input,
    deadlineSeconds: longSeconds,
    attempts,
  }
}

/**
 * Nodes whose log is archived and that have no base backup which goes with it: without one the log is of no use. A node
 * that is restored begins a new line, so its earlier backups do not count.
 */
export function firstBackups(
  nodes: readonly NodeResources[],
  archives: readonly ArchiveSeen[],
  context: DatabaseContext,
  { pending }: Restores,
): RemodelDraft[] {
  return nodes.flatMap((node) => {
    const wanted = Object.values(context.settingsOf(node.node_name))[0]?.backup
    if (!wanted) return []
    const archive = archives.find((one) => one.deployment === context.deployment && one.node === node.node_name)
    const exists = context.actual('database.node', node.node_name) !== undefined
    const silent = exists && archive?.now === null && !pending.has(node.node_name)
    const has = archive?.backups.some(({ line }) => line === archive.line)
    if ((has || silent) && !pending.has(node.node_name)) return []
    return [
      backupDraft({
        deployment: context.deployment,
        node: node.node_name,
        database: node.database_name,
        members: context.keptOf(node.node_name),
        keep: wanted.keep,
        reason: { code: pending.has(node.node_name) ? 'node-restored' : 'no-backup' },
      }),
    ]
  })
}

/**
 * Before anything is taken down, one for each source: what the restore needs is archived and looked for. And what the
 * other nodes that are taken down have written up to now is archived too, so that it stays restorable.
 */
export function preparations({ pending }: Restores, context: DatabaseContext): RemodelDraft[] {
  const { deployment } = context
  const sources = new Map<string, Restore>()
  for (const restore of pending.values())
    sources.set(`${restore.deployment}/${restore.node}/${restore.backup}`, restore)
  const checks = [...sources.values()].map((restore) => {
    const members = restore.deployment === deployment ? context.membersOf(restore.node) : []
    const title = `archive ${restore.node} up to now and check backup ${restore.backup}`
    return preparation('prepare-restore', `backup/${restore.backup}`, title, { restore, members })
  })
  const archived = new Set([...sources.values()].flatMap((one) => (one.deployment === deployment ? [one.node] : [])))
  const others = [...pending.keys()].filter(
    (node) => !archived.has(node) && context.actual('database.node', node) !== undefined,
  )
  const tails = others.map((node) => {
    const input = { deployment, node, members: context.membersOf(node) }
    return preparation('archive-log', `archive/${node}`, `archive ${node} up to now`, input)
  })
  return [...checks, ...tails]
}

function preparation(step: string, material: string, title: string, input: object): RemodelDraft {
  return {
    id: `${step} ${material}`,
    step,
    action: 'run',
    material,
    title,
    stage: 'prepare the restore',
    reasons: [{ code: 'restore-asked' } satisfies DatabaseReason],
    input,
    deadlineSeconds: longSeconds,
    attempts,
  }
}

/** A request that has left the document may be made again. */
export function forgetting({ forgotten }: Restores, context: DatabaseContext): RemodelDraft[] {
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
      reasons: [{ code: 'restore-over' } satisfies DatabaseReason],
      input: { event: 'delete', resource, deployment: context.deployment },
      attempts,
    }
  })
}
