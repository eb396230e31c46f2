import { type ActualMaterial, materialType } from '../../../shared/model/material.ts'
import type { Looking } from '../../contract/kind.ts'
import type { StoppedLink } from '../api/server.ts'
import { InstanceAttributes } from '../inputs.ts'
import { incomingOf } from '../postgres/links/incoming.ts'
import { stoppedBy } from '../postgres/links/repair.ts'
import { endOfLog } from '../postgres/links/server-log.ts'
import { type Address, type Machines, openSession, type Session, type SessionOptions } from '../postgres/server.ts'

/** As long as the rest of a look at a server may take. */
const timeoutMs = 2000

/** What the node of this server, which takes writes, does not get from others, by the server's own word. */
export async function stoppedLinksOf(
  session: Session,
  { at, node, database }: { at: Address; node: string; database: string },
  { provider, materials }: Looking,
): Promise<StoppedLink[]> {
  const incoming = await incomingOf(session, database, () => endOfLog(provider, at.vm))
  const found = await Promise.all(
    incoming.map(async ({ provider: from, enabled, failure }): Promise<StoppedLink[]> => {
      const off = { from, to: node, table: null, key: null, repair: [] }
      if (failure === null)
        return enabled ? [] : [{ ...off, why: `the subscription of ${node} to ${from} is disabled` }]
      const [here, there] = await Promise.all([
        openSession(provider, at, database, { timeoutMs }),
        primarySession(provider, serversOf(materials, from), database),
      ])
      try {
        return [await stoppedBy(failure, [from, node], { here, there })]
      } finally {
        await Promise.all([here.close(), there?.close()])
      }
    }),
  )
  return found.flat()
}

export function serversOf(materials: readonly ActualMaterial[], node: string): Address[] {
  return materials.flatMap(({ id, attributes }) => {
    if (materialType(id) !== 'instance' || attributes.node !== node) return []
    return [InstanceAttributes.parse(attributes)]
  })
}

/**
 * With the one of these that takes writes; null where none is found. A query takes no longer than a look does,
 * unless `limitMs` is given.
 */
export async function primarySession(
  machines: Machines,
  servers: readonly Address[],
  database: string,
  more: Pick<SessionOptions, 'limitMs' | 'signal'> = {},
): Promise<Session | null> {
  for (const at of servers) {
    const session = await openSession(machines, at, database, { timeoutMs, ...more }).catch(() => null)
    if ((await session?.value('SELECT pg_is_in_recovery()').catch(() => true)) === false) return session
    await session?.close()
  }
  return null
}
