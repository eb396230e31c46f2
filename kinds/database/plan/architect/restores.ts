import { digestOf } from '../../../../shared/model/canonical.ts'
import type { SourceDocument } from '../../../../shared/source/document.ts'
import type { Target } from '../../archive/chain.ts'
import type { Document, RestoreConfig } from '../schema.ts'
import type { RestoreRequest, Strategy } from '../strategy.ts'

/** What the document asks to be restored, node by node: a node's own request, else that of the database. */
export function restoresOf(
  document: SourceDocument,
  { nodes, restore_config: shared, database_name }: Document,
  deployment: string,
): Pick<Strategy, 'restores' | 'places'> {
  const restores: Record<string, RestoreRequest> = {}
  for (const [at, node] of nodes.entries()) {
    const config = node.restore_config ?? shared
    if (!config) continue
    const own = node.restore_config !== undefined
    const from = config.source_database_id ?? deployment
    restores[node.name] = {
      key: digestOf(config),
      deployment: from,
      node: config.source_node_name ?? (own ? node.name : null),
      shared: !own,
      database: config.source_database_name ?? database_name,
      target: targetOf(config),
      set: config.restore_options.set ?? null,
      place: document.fault(own ? ['nodes', at, 'restore_config'] : ['restore_config'], ''),
    }
  }
  if (Object.keys(restores).length === 0) return { restores, places: {} }
  const places = nodes.map(({ name }, at) => [name, document.fault(['nodes', at], '')] as const)
  return { restores, places: Object.fromEntries(places) }
}

function targetOf({ restore_options: { type, target, 'target-exclusive': exclusive } }: RestoreConfig): Target {
  if (type === 'default' || type === 'immediate') return { type }
  return { type, value: type === 'time' ? withZone(target ?? '') : (target ?? ''), exclusive }
}

/** One way to write a time, of the many that people use: `2026-01-31T12:30:00.5+02:00`. */
function withZone(time: string): string {
  const [, day, clock, zone = 'Z'] = /^(\S+?)[T ](\S+?)\s?(Z|[+-].*)$/.exec(time) ?? []
  const [, sign, hours, minutes = '00'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? ['', '+', '00']
  return `${day}T${clock}${sign}${hours}:${minutes}`
}
