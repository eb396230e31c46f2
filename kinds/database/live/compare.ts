import { materialType } from '../../../shared/model/material.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Looking } from '../../contract/kind.ts'
import type { Comparison } from '../api/comparison.ts'
import { InstanceAttributes } from '../inputs.ts'
import { compareNodes } from '../postgres/comparison/compare.ts'
import type { Session } from '../postgres/server.ts'
import { primarySession, serversOf } from './stopped-links.ts'

/** A question about a batch, or about a table without a key. */
const limitMs = 3600_000

/**
 * All nodes of a database against each other, of each the server that takes writes. Throws `infrastructure`
 * where a node has none.
 */
export async function compare(
  { materials, provider, deployment }: Pick<Looking, 'materials' | 'provider' | 'deployment'>,
  signal: AbortSignal,
): Promise<Comparison> {
  const instances = materials.filter(({ id }) => materialType(id) === 'instance')
  const nodes = [...new Set(instances.map(({ attributes }) => InstanceAttributes.parse(attributes).node))].sort()
  const database = String(instances[0]?.attributes.database_name ?? '')
  const sessions = new Map<string, Session>()
  try {
    for (const node of nodes) {
      const session = await primarySession(provider, serversOf(materials, node), database, { limitMs, signal })
      if (!session)
        throw new RemodelError('infrastructure', `${node} takes no writes, so ${deployment} cannot be compared`)
      sessions.set(node, session)
    }
    return await compareNodes(sessions)
  } finally {
    await Promise.all([...sessions.values()].map((session) => session.close()))
  }
}
