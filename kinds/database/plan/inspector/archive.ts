import type { Observation } from '../../../../shared/model/observation.ts'
import type { World } from '../../../contract/kind.ts'
import { archivesOf } from '../../archive/archives.ts'
import { InstanceAttributes } from '../../inputs.ts'
import { type Address, type Machines, openSession } from '../../postgres/server.ts'
import { type ArchiveSeen, archiveObservation } from '../archived.ts'
import type { ResourceData } from '../operations/operations.ts'
import type { Strategy } from '../strategy.ts'
import type { Server } from './servers.ts'

interface Found {
  deployment: string
  instances: readonly ResourceData[]
  primaries: ReadonlyMap<string, Server>
}

/** The archives that a plan or a verdict may need to know: of this deployment's nodes, and of those that something is restored from. */
export async function archivesAsFound(
  strategy: Strategy,
  found: Found,
  { stores, provider, closely, observer }: World,
): Promise<Observation[]> {
  const standing = found.instances.map(({ attributes }) => InstanceAttributes.parse(attributes))
  const kept = standing.flatMap(({ node, backup }) => (closely && backup !== undefined ? [node] : []))
  const asked = strategy.nodes
    .filter(({ instances }) => instances?.some(({ instance }) => instance.attributes.backup !== undefined))
    .map(({ node_name }) => node_name)
  const archived = [...new Set([...asked, ...kept])]
  const restores = Object.values(strategy.restores)
  if (archived.length === 0 && restores.length === 0) return []
  const deployments = new Set([...restores.map(({ deployment }) => deployment), found.deployment])
  const seen: Observation[] = []
  for (const deployment of deployments) {
    const backups = await archivesOf(stores).summaries(deployment)
    const isOurs = deployment === found.deployment
    const nodes = new Set([...backups.map(({ node }) => node), ...(isOurs ? archived : [])])
    for (const node of [...nodes].sort()) {
      const now = isOurs ? await writing(provider, addressOf(found, node)) : unknown
      const own = backups.filter((backup) => backup.node === node)
      seen.push(archiveObservation({ deployment, node, ...now, backups: own }, { at: Date.now(), observer }))
    }
  }
  return seen
}

function addressOf({ instances, primaries }: Found, node: string): Address | undefined {
  const primary = instances.find(({ identifier }) => identifier.id === primaries.get(node)?.instance)
  return primary && InstanceAttributes.parse(primary.attributes)
}

type Writing = Pick<ArchiveSeen, 'line' | 'now' | 'nextXid' | 'end'>
const unknown: Writing = { line: null, now: null, nextXid: null, end: null }

async function writing(machines: Machines, at: Address | undefined): Promise<Writing> {
  if (!at) return unknown
  try {
    const session = await openSession(machines, at, 'postgres', { timeoutMs: 1500 })
    try {
      const table = await session.value(`SELECT to_regclass('remodel.archive')::text`)
      const line = table === null ? null : await session.value('SELECT line FROM remodel.archive')
      const [row] = await session.query(
        `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text AS now,
           pg_snapshot_xmax(pg_current_snapshot())::text AS xid, pg_current_wal_insert_lsn()::text AS lsn`,
      )
      const { now, xid, lsn } = row!
      return { line: line === null ? null : String(line), now: Number(now), nextXid: String(xid), end: String(lsn) }
    } finally {
      await session.close()
    }
  } catch {
    return unknown
  }
}
