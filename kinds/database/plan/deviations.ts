import { type ActualMaterial, materialType } from '../../../shared/model/material.ts'
import type { Deviation } from '../../../shared/model/verdict.ts'
import type { Inspection } from '../../contract/kind.ts'
import { type Finding, failure, sentenceOf } from '../judgement/finding.ts'
import { judge } from '../judgement/judge.ts'
import { type ArchiveSeen, archivesIn } from './archived.ts'
import { lackingOf, tableNotes } from './foreman/degraded.ts'
import { unsharedIn } from './foreman/sequences.ts'
import { isAstray, seenIn } from './seen.ts'
import { resourceOf } from './state.ts'

/**
 * What the judgement of a database finds: nodes that take no writes or let no client in, servers that are gone or do
 * not run, links that carry nothing; and by this look at every material machines, databases, slots and subscriptions
 * that are gone or not as recorded, tables that are missing, sequences that draw what another node draws, and logs that
 * no backup goes with.
 */
export function deviations({ materials: seen, observations }: Inspection, deployment: string): Deviation[] {
  const isAlone = seen.filter(({ id }) => materialType(id) === 'node').length < 2
  const amiss = seen.flatMap((material): Finding[] => {
    const what = whyAmiss(material, isAlone)
    return what === null ? [] : [failure(material.id, what, null)]
  })
  const archives = archivesIn(observations).flatMap((archive) => withoutBackup(archive, deployment))
  const { findings } = judge(seenIn(seen, deployment, [...amiss, ...archives]), { underway: false })
  return findings
    .filter(({ warning }) => !warning)
    .map(({ material, what, next }) => ({ material, what, ...(next === null ? {} : { next }) }))
}

/** What has not failed and will, if it goes on like this, and tables without a key. */
export function warnings({ materials: seen }: Inspection, deployment: string): string[] {
  const { findings } = judge(seenIn(seen, deployment, []), { underway: false })
  return [...findings.filter(({ warning }) => warning).map(sentenceOf), ...tableNotes(seen)]
}

/** Null where nothing is, or where the judgement says it of its server or its link. */
function whyAmiss(material: ActualMaterial, isAlone: boolean): string | null {
  const { meta, attributes } = material
  if (meta.resource === undefined) return null
  const { provider_node: provider, subscriber_node: subscriber } = attributes
  if (typeof meta.lost === 'string') return `is lost (${meta.lost}): ${subscriber} misses what ${provider} wrote since`
  if (meta.link !== undefined || meta.health === 'down' || isAstray(meta, meta.role)) return null
  const { needs_recreate: gone, error } = resourceOf(material)
  const lacking = lackingOf(material)
  if (lacking.length > 0)
    return `has no ${lacking.join('; no ')}: the first row of it that another node writes stops the link`
  const unshared = isAlone ? [] : unsharedIn(material)
  if (unshared.length > 0)
    return `may draw numbers that other nodes draw too, by ${unshared.join(', ')}: the next deploy sets that right`
  if (error) return `is not as it should be: ${error}`
  if (Array.isArray(material.meta.filling)) return material.meta.filling.join('; ')
  return gone ? 'is gone, or not recorded' : null
}

/** The log alone brings nothing back. Of a node that does not say where its log goes nothing is concluded. */
function withoutBackup({ node, line, backups }: ArchiveSeen, deployment: string): Finding[] {
  if (line === null || backups.some((backup) => backup.line === line)) return []
  const next = `remodel backup-database ${deployment} --node ${node}`
  return [failure(`archive/${node}`, 'has no backup that goes with its log', next)]
}
