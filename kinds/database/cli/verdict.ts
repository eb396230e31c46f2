import { sentenceOf } from '../judgement/finding.ts'
import { judge } from '../judgement/judge.ts'
import type { ServerSeen } from '../judgement/seen.ts'
import type { Database, Server } from './databases.ts'

/** Why a database is not as it should be, and what to do about it. */
export interface Cause {
  what: string
  /** A command line, or a sentence where none is enough; null: nothing has to be done. */
  next: string | null
  /** Nothing has failed yet. */
  warning: boolean
}

/** The judgement of a database by what its servers say of themselves now. */
export function judgementOf({
  name,
  nodes,
  lock,
}: Pick<Database, 'name' | 'nodes' | 'lock'>): Pick<Database, 'state' | 'causes'> {
  const servers = nodes.flatMap(({ instances }) => instances)
  const stopped = servers.flatMap(({ database }) => database.stopped)
  const seen = { deployment: name, servers: servers.map(seenOf), stopped }
  const { state, findings } = judge(seen, { underway: lock !== null, now: Date.now() })
  const causes = findings.map((finding) => ({
    what: sentenceOf(finding),
    next: finding.next,
    warning: finding.warning,
  }))
  return { state, causes }
}

function seenOf({ instance, state, database }: Server): ServerSeen {
  const { tls, ...server } = database
  const known = tls && tls.begins !== null && tls.ends !== null
  return { ...server, instance, state, certificate: known ? { begins: tls.begins!, ends: tls.ends! } : null }
}
