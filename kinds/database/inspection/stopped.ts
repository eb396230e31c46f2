import type { StoppedLink } from '../api/server.ts'
import type { Failure } from '../postgres/links/failure.ts'
import type { Incoming } from '../postgres/links/incoming.ts'
import { stoppedBy } from '../postgres/links/repair.ts'
import { type Machines, openSession } from '../postgres/server.ts'
import { addressOf, type Found } from './found.ts'
import { judgeLink } from './leaving.ts'
import { whyUnconnected } from './unconnected.ts'

const timeoutMs = 5000

/**
 * Links that carry nothing, by their id. Most are known by the log of the server that cannot apply; of one whose log
 * does not tell, and of one that is not connected, further looks do.
 */
export async function linksThatStopped(found: Found, machines: Machines): Promise<ReadonlyMap<string, StoppedLink>> {
  const all = [...found.primaries].flatMap(([to, { incoming }]) => incoming.map((link) => ({ to, link })))
  const entries = await Promise.all(
    all.map(async ({ to, link }): Promise<[string, StoppedLink][]> => {
      const id = `${link.provider}:${to}:${databaseOf(found)}`
      const stopped = await judge(found, { to, link }, machines).catch(() => null)
      return stopped === null ? [] : [[id, stopped]]
    }),
  )
  return new Map(entries.flat())
}

async function judge(
  found: Found,
  { to, link }: { to: string; link: Incoming },
  machines: Machines,
): Promise<StoppedLink | null> {
  const ends = [link.provider, to] as const
  if (link.failure) return stoppedOf(found, { ends, failure: link.failure }, machines)
  if (!link.enabled) return null
  const judged = link.errors === 0 ? null : await judgeLink(found, ends, machines)
  const why = judged?.stopped.stopped ?? (await whyUnconnected(found, ends, machines))
  return why === null ? null : { from: ends[0], to, why, table: null, key: null, repair: [] }
}

async function stoppedOf(
  found: Found,
  { ends, failure }: { ends: readonly [string, string]; failure: Failure },
  machines: Machines,
): Promise<StoppedLink | null> {
  const [from, to] = ends.map((node) => addressOf(found, node))
  if (!to) return null
  const here = await openSession(machines, to, to.database_name, { timeoutMs })
  const there = from && (await openSession(machines, from, from.database_name, { timeoutMs }).catch(() => undefined))
  try {
    return await stoppedBy(failure, ends, { here, there: there ?? null })
  } finally {
    await Promise.all([here.close(), there?.close()])
  }
}

const databaseOf = ({ instances }: Found) => String(instances[0]?.attributes.database_name ?? '')
