import { type ActualMaterial, materialName, materialType } from '../../../shared/model/material.ts'
import type { Observation } from '../../../shared/model/observation.ts'
import type { Done, Pretended, Told } from '../../testing/kit.ts'
import type { BackupSummary } from '../api/backup.ts'
import { InstanceAttributes, inputs } from '../inputs.ts'
import { type ArchiveSeen, archiveObservation } from '../plan/archived.ts'

/**
 * The archives of the nodes that keep one, as they are after what was carried out: a backup is good from when it was
 * taken until its node began another line, as a restore does.
 */
export function archivesAsPretended(
  deployment: string,
  servers: readonly ActualMaterial[],
  { done, now }: Pretended,
): Observation[] {
  const kept = servers.flatMap(({ attributes, meta }) => {
    const { node, backup } = InstanceAttributes.parse(attributes)
    return backup === undefined ? [] : [{ node, takesWrites: meta.role === 'primary' }]
  })
  return [...Map.groupBy(kept, ({ node }) => node)].map(([node, own]) => {
    const { lines, backups } = historyOf(node, done)
    const line = `${node}/${lines.length}`
    const takesWrites = own.some((server) => server.takesWrites)
    const seen = {
      ...{ deployment, node, line: takesWrites ? line : null, now: takesWrites ? now : null, nextXid: null, end: null },
      backups: backups.map((backup): BackupSummary => {
        const number = Number(backup.line.split('/')[1])
        return { ...backup, until: backup.line === line ? now : lines[number]! }
      }),
    }
    return archiveObservation(seen, { at: now, observer: 'lab' })
  })
}

/** When a node's lines ended, and the backups that it has taken. */
function historyOf(node: string, done: readonly Done[]): { lines: number[]; backups: BackupSummary[] } {
  const lines: number[] = []
  const backups: BackupSummary[] = []
  for (const { remodel, at } of done) {
    if (remodel.step === 'set-up-instance') {
      const { role, instance } = inputs['set-up-instance'].parse(remodel.input)
      if (role === 'restore' && instance.node === node) lines.push(at)
    }
    if (remodel.step === 'back-up-node' && materialName(remodel.material) === node)
      backups.push({
        ...{ id: `${node}-${backups.length + 1}`, node, line: `${node}/${lines.length}`, from: at, until: at },
        ...{ stop: '0/0', nextXid: '0', dataBytes: 0, bytes: 0, logBytes: 0 },
      })
  }
  return { lines, backups }
}

export function archiveTold({ node, backups }: ArchiveSeen): Told {
  const at = (time: number) => new Date(time).toISOString().replace('.000', '')
  const ranges = backups.map(({ id, from, until }) => `${id}: ${at(from)} to ${until === null ? 'no time' : at(until)}`)
  return { subject: `archive of ${node}`, text: ranges.join(', ') || 'no backup' }
}

export const isServer = ({ id }: ActualMaterial) => materialType(id) === 'instance'
