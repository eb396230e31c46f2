import { canonical } from '../../../../shared/model/canonical.ts'
import { type ActualMaterial, materialName, materialType } from '../../../../shared/model/material.ts'
import type { Fault } from '../../../../shared/runtime/errors.ts'
import { invalidInput } from '../../../../shared/source/document.ts'
import type { BackupSummary } from '../../api/backup.ts'
import { bytesAt } from '../../archive/chain.ts'
import { type Restore, RestoredAttributes, restoredType } from '../../inputs.ts'
import type { ArchiveSeen } from '../archived.ts'
import { findActual, findResource, type NodeResources, type State } from '../operations/operations.ts'
import type { RestoreRequest, Strategy } from '../strategy.ts'

/** What of the document's requests is to be done now. */
export interface Restores {
  /** Node -> what it is restored from in this plan. */
  pending: ReadonlyMap<string, Restore>
  /**
   * Nodes that have been restored, with the instance that has the data: also where the plan ended before they stood.
   */
  restored: ReadonlyMap<string, string>
  /** Nodes that were added since the database was restored: they are filled from those that stand. */
  joining: ReadonlySet<string>
  /** Node -> the request that it was restored by last, or is to be now. */
  requests: ReadonlyMap<string, string>
  /** Of nodes whose request has left the document. */
  forgotten: readonly string[]
}

/**
 * A request is carried out once: a node that was restored by it is left alone from then on, until the document asks for
 * something else. Throws `invalid-input`, with the place, where there is no backup for it.
 */
export function restoresToDo(
  strategy: Strategy,
  start: State,
  materials: readonly ActualMaterial[],
  archives: readonly ArchiveSeen[],
): Restores {
  const marks = new Map(
    materials
      .filter(({ id }) => materialType(id) === restoredType)
      .map(({ id, attributes }) => [materialName(id), RestoredAttributes.parse(attributes)]),
  )
  const requests = Object.entries(strategy.restores)
  const exists = (node: string) => findActual(start, 'database.node', node) !== undefined
  const carriedOut = new Set([...marks].filter(([node]) => exists(node)).map(([, { key }]) => key))
  const joining = requests
    .filter(([node, { key, shared }]) => shared && carriedOut.has(key) && marks.get(node)?.key !== key && !exists(node))
    .map(([node]) => node)
  const order = strategy.nodes.map(({ node_name }) => node_name)
  const faults: Fault[] = []
  const pending = new Map<string, Restore>()
  for (const [node, request] of requests) {
    if (marks.get(node)?.key === request.key || joining.includes(node)) continue
    const chosen = choose(request, archives, order)
    if ('message' in chosen) {
      if (!faults.some(({ message, path }) => message === chosen.message && path === request.place.path)) {
        faults.push({ ...request.place, ...chosen })
      }
    } else pending.set(node, { ...chosen, peers: order.filter((other) => other !== node) })
  }
  if (faults.length > 0) throw invalidInput(faults)
  const restored = new Map(
    [...marks]
      .filter(([node, { key }]) => strategy.restores[node]?.key === key)
      .map(([node, { primary }]) => [node, primary]),
  )
  return {
    pending,
    restored,
    requests: new Map([
      ...[...marks].map(([node, { key }]) => [node, key] as const),
      ...[...pending].map(([node, { key }]) => [node, key] as const),
    ]),
    joining: new Set(joining),
    forgotten: [...marks.keys()].filter((node) => strategy.restores[node] === undefined),
  }
}

/** The newest backup from which the target can be reached, of the nodes that may serve, in their order. */
function choose(
  { key, deployment, node, database, target, set }: RestoreRequest,
  seen: readonly ArchiveSeen[],
  order: readonly string[],
): Omit<Restore, 'peers'> | Pick<Fault, 'message' | 'allowed' | 'found'> {
  const own = seen.filter((archive) => archive.deployment === deployment && archive.backups.length > 0)
  const candidates = own
    .filter((archive) => node === null || archive.node === node)
    .sort((a, b) => placed(order, a.node) - placed(order, b.node))
  if (candidates.length === 0) {
    const nodes = own.map((archive) => archive.node).join(', ')
    return {
      message: `there is no backup of ${node === null ? '' : `node ${node} of `}${deployment}`,
      ...(nodes === '' ? {} : { allowed: nodes }),
    }
  }
  for (const archive of candidates) {
    const fits = (backup: BackupSummary) => {
      const until = untilOf(backup, archive)
      if (until === null || (set !== null && backup.id !== set)) return false
      if (target.type === 'time') return backup.from <= Date.parse(target.value) && Date.parse(target.value) < until
      const { nextXid, end } = backup.line === archive.line ? archive : { nextXid: null, end: null }
      if (target.type === 'lsn') {
        const at = bytesAt(target.value)
        return bytesAt(backup.stop) <= at && (end === null || at <= bytesAt(end))
      }
      if (target.type === 'xid') {
        const xid = BigInt(target.value)
        return BigInt(backup.nextXid) <= xid && (nextXid === null || xid < BigInt(nextXid))
      }
      return true
    }
    const backup = archive.backups.findLast(fits)
    if (backup) return { key, deployment, node: archive.node, line: backup.line, backup: backup.id, target, database }
  }
  const ranges = candidates.flatMap((archive) => archive.backups.flatMap((backup) => rangeOf(backup, archive)))
  return {
    message: `no backup${set === null ? '' : ` ${set}`} reaches ${'value' in target ? target.value : 'its own end'}`,
    allowed: ranges.join('; ') || 'none: the log of no backup is whole',
    ...('value' in target ? { found: target.value } : {}),
  }
}

function untilOf({ line, until }: BackupSummary, archive: ArchiveSeen): number | null {
  return until !== null && line === archive.line && archive.now !== null ? Math.max(until, archive.now) : until
}

function rangeOf(backup: BackupSummary, archive: ArchiveSeen): string[] {
  const until = untilOf(backup, archive)
  const at = (time: number) => new Date(time).toISOString()
  return until === null ? [] : [`${backup.id}: ${at(backup.from)} to ${at(until)}`]
}

function placed(order: readonly string[], node: string): number {
  return order.includes(node) ? order.indexOf(node) : order.length
}

/**
 * Throws `invalid-input` where a document that restores asks for another change as well: both at once would be neither.
 * A node that an earlier restore took down may lack what it took.
 */
export function refuseOtherChanges(
  strategy: Strategy,
  start: State,
  nodes: readonly NodeResources[],
  { pending }: Restores,
) {
  const faults: Fault[] = []
  const wrong = (node: string, what: string) =>
    faults.push({ ...(strategy.places[node] ?? {}), message: `${what}: deploy that first, then restore` })
  for (const { node_name: node, instances } of nodes) {
    const taken = pending.has(node)
    if (!taken && findResource(start, 'database.node', node) === undefined) {
      wrong(node, `node ${node} is new, while ${[...pending.keys()].join(', ')} is restored`)
      continue
    }
    const resources = (instances ?? []).flatMap(({ instance, instance_dependencies }) => [
      ...(instance_dependencies ?? []),
      instance,
    ])
    const differs = resources.some(({ identifier, attributes }) => {
      const exists = findResource(start, identifier.type, identifier.id)
      return exists ? canonical(exists.attributes) !== canonical(attributes) : !taken
    })
    const names = new Set((instances ?? []).map(({ instance_id }) => instance_id))
    const goes = Object.values(start.resources['database.instance'] ?? {}).some(
      ({ identifier, attributes }) => attributes.node === node && !names.has(identifier.id),
    )
    if (differs || goes) wrong(node, `node ${node} is ${taken ? 'restored and ' : ''}changed by the same document`)
  }
  const wanted = new Set(nodes.map(({ node_name }) => node_name))
  const leaving = Object.keys(start.resources['database.node'] ?? {}).filter((node) => !wanted.has(node))
  for (const node of leaving) {
    faults.push({
      ...([...pending.keys()].flatMap((one) => strategy.places[one] ?? [])[0] ?? {}),
      message: `node ${node} is not in the document, while others are restored: deploy that first, then restore`,
    })
  }
  if (faults.length > 0) throw invalidInput(faults)
}
