import type { StepContext } from '../../contract/step.ts'
import { InstanceAttributes, type Member } from '../inputs.ts'
import { readerOf } from '../postgres/drain.ts'
import { failureText } from '../postgres/links/failure.ts'
import { endOfLog } from '../postgres/links/server-log.ts'
import { openSession } from '../postgres/server.ts'
import { findPrimary } from './primary.ts'

/**
 * Why a node does not get what another one writes, for the sentence of a step that waits for it; null where it does, or
 * does not say. A stopped link is no reason to fail: a person may repair it while the step waits.
 */
export async function whyLinkStopped(
  context: StepContext,
  [from, to]: readonly [string, string],
): Promise<string | null> {
  try {
    const servers = await serversOf(context, to)
    const primary = await findPrimary(context.provider, servers)
    const database = servers[0]?.database_name
    if (database === undefined) return null
    if (!primary) return `no server of ${to} takes writes`
    const session = await openSession(context.provider, primary, 'postgres', { timeoutMs: 5000 })
    try {
      const reader = await readerOf(session, { provider: from, database }, () => endOfLog(context.provider, primary.vm))
      if (reader?.enabled === false) return `the subscription of ${to} to ${from} is disabled`
      return reader?.failure ? failureText(reader.failure, [from, to]) : null
    } finally {
      await session.close()
    }
  } catch {
    return null
  }
}

/** As they are recorded. */
async function serversOf(context: StepContext, node: string): Promise<(Member & { database_name: string })[]> {
  const instances = (await context.actual(`node/${node}`))?.attributes.instance_ids
  const ids = Array.isArray(instances) ? instances.map(String) : []
  const found = await Promise.all(ids.map((id) => context.actual(`instance/${id}`)))
  return found.flatMap((material, at) =>
    material ? [{ ...InstanceAttributes.parse(material.attributes), instance: ids[at]! }] : [],
  )
}
