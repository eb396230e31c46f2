import type { StandingMaterial } from '../../../shared/model/material.ts'
import type { Deviation } from '../../../shared/model/verdict.ts'
import { StoppedLink } from '../api/server.ts'
import { causeText } from '../postgres/links/stopped.ts'
import { type ArchiveSeen, archivesIn } from './archived.ts'
import { closedNodes } from './closed.ts'
import { lackingOf } from './foreman/degraded.ts'
import { unsharedIn } from './foreman/sequences.ts'
import { resourceOf } from './state.ts'

/**
 * Nodes that are closed to clients, machines, servers, databases, slots and subscriptions that are gone or do not do as they should, links that
 * carry nothing, tables that are missing, sequences that draw what another node draws, and logs that no backup goes with.
 */
export function deviations(seen: readonly StandingMaterial[]): Deviation[] {
  const closed = [...closedNodes(seen)].map(([node, why]): Deviation => {
    const added = 'is being added, and lets no client in before every other node gets what is written to it'
    return { material: `node/${node}`, what: why === 'added' ? added : 'lets no client in on some of its servers' }
  })
  const isAlone = seen.filter(({ id }) => id.startsWith('node/')).length < 2
  const amiss = seen.flatMap((material): Deviation[] => {
    const what = whyAmiss(material, isAlone)
    return what === null ? archivesIn([material]).flatMap(withoutBackup) : [{ material: material.id, what }]
  })
  return [...closed, ...amiss]
}

function whyAmiss(material: StandingMaterial, isAlone: boolean): string | null {
  if (material.meta.resource === undefined) return null
  const { provider_node: provider, subscriber_node: subscriber } = material.attributes
  if (typeof material.meta.lost === 'string')
    return `is lost (${material.meta.lost}): ${subscriber} misses what ${provider} wrote since`
  const { needs_recreate: gone, error } = resourceOf(material)
  const link = StoppedLink.safeParse(material.meta.link)
  if (link.success) return `carries nothing: ${causeText(link.data)}`
  const lacking = lackingOf(material)
  if (lacking.length > 0)
    return `has no ${lacking.join('; no ')}: the first row of it that another node writes stops the link`
  const unshared = isAlone ? [] : unsharedIn(material)
  if (unshared.length > 0)
    return `may draw numbers that other nodes draw too, by ${unshared.join(', ')}: the next deploy sets that right`
  if (error) return `is not as it should be: ${error}`
  if (!gone) return null
  return material.meta.health === 'down' ? 'does not answer' : 'is gone, or not recorded'
}

/** The log alone brings nothing back. Of a node that does not say where its log goes nothing is concluded. */
function withoutBackup({ node, line, backups }: ArchiveSeen): Deviation[] {
  if (line === null || backups.some((backup) => backup.line === line)) return []
  return [{ material: `archive/${node}`, what: 'has no backup that goes with its log' }]
}
