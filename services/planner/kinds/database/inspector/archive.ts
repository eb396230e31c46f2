import { InstanceAttributes } from '../../../../../shared/kinds/database.ts'
import { type Address, type Machines, openSession } from '../../../../../shared/postgres/server.ts'
import type { World } from '../../kind.ts'
import { type ArchiveSeen, archiveMaterial } from '../archived.ts'
import type { ResourceData } from '../operations/operations.ts'
import type { Strategy } from '../strategy.ts'
import type { Server } from './servers.ts'

interface Found {
  deployment: string
  instances: readonly ResourceData[]
  primaries: ReadonlyMap<string, Server>
}

/** The archives that a plan may need to know: of this deployment's nodes, and of those that something is restored from. */
export async function archivesAsFound(strategy: Strategy, found: Found, { archives, provider }: World) {
  const archived = strategy.nodes
    .filter(({ instances }) => instances?.some(({ instance }) => instance.attributes.backup !== undefined))
    .map(({ node_name }) => node_name)
  const restores = Object.values(strategy.restores)
  if (archived.length === 0 && restores.length === 0) return []
  const deployments = new Set([...restores.map(({ deployment }) => deployment), found.deployment])
  const seen: ArchiveSeen[] = []
  for (const deployment of deployments) {
    const backups = await archives.summaries(deployment)
    const own = deployment === found.deployment
    const nodes = new Set([...backups.map(({ node }) => node), ...(own ? archived : [])])
    for (const node of [...nodes].sort()) {
      const now = own ? await writing(provider, addressOf(found, node)) : { line: null, now: null }
      seen.push({ deployment, node, ...now, backups: backups.filter((backup) => backup.node === node) })
    }
  }
  return seen.map(archiveMaterial)
}

function addressOf({ instances, primaries }: Found, node: string): Address | undefined {
  const primary = instances.find(({ identifier }) => identifier.id === primaries.get(node)?.instance)
  return primary && InstanceAttributes.parse(primary.attributes)
}

async function writing(machines: Machines, at: Address | undefined): Promise<Pick<ArchiveSeen, 'line' | 'now'>> {
  if (!at) return { line: null, now: null }
  try {
    const session = await openSession(machines, at, 'postgres', { timeoutMs: 1500 })
    try {
      const table = await session.value(`SELECT to_regclass('remodel.archive')::text`)
      const line = table === null ? null : await session.value('SELECT line FROM remodel.archive')
      const now = await session.value('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::text')
      return { line: line === null ? null : String(line), now: Number(now) }
    } finally {
      await session.close()
    }
  } catch {
    return { line: null, now: null }
  }
}
