import { materialType } from '../../../shared/model/material.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Looking } from '../../contract/kind.ts'
import type { StatementOutcome, StatementsRequest } from '../api/statements.ts'
import { InstanceAttributes } from '../inputs.ts'
import { runEverywhere } from '../postgres/links/everywhere.ts'
import type { Session } from '../postgres/server.ts'
import { primarySession, serversOf } from './stopped-links.ts'

/** A server ends what takes longer by itself; one that does not is given up a little later. */
const graceMs = 5000

/**
 * Statements on all nodes of a database, or on those that are named, as its owner. Throws `not-found` and
 * `infrastructure` before anything is changed.
 */
export async function statementsOnNodes(
  { sql, nodes: wanted, limitSeconds }: StatementsRequest,
  { materials, provider, deployment }: Looking,
): Promise<StatementOutcome[]> {
  const instances = materials.filter(({ id }) => materialType(id) === 'instance')
  const nodes = [...new Set(instances.map(({ attributes }) => InstanceAttributes.parse(attributes).node))].sort()
  const unknown = wanted.find((node) => !nodes.includes(node))
  if (unknown !== undefined || nodes.length === 0) {
    throw new RemodelError(
      'not-found',
      `${deployment} has no node ${unknown ?? 'yet'}; it has ${nodes.join(', ') || 'none'}`,
    )
  }
  const [database] = materials.filter(({ id }) => materialType(id) === 'postgres_database')
  const name = String(database?.attributes.database_name)
  const sessions = new Map<string, Session>()
  const limitMs = limitSeconds * 1000
  try {
    for (const node of wanted.length === 0 ? nodes : nodes.filter((one) => wanted.includes(one))) {
      const session = await primarySession(provider, serversOf(materials, node), name, { limitMs: limitMs + graceMs })
      if (!session) throw new RemodelError('infrastructure', `${node} takes no writes, so nothing was run on any node`)
      sessions.set(node, session)
    }
    const owner = String(database?.attributes.owner ?? '')
    return await runEverywhere(sessions, sql, { owner, share: nodes.length > 1, limitMs })
  } finally {
    await Promise.all([...sessions.values()].map((session) => session.close()))
  }
}
