import { setTimeout as sleep } from 'node:timers/promises'
import type { Member } from '../inputs.ts'
import { type Machines, openSession, type Session } from '../postgres/server.ts'
import { lookAt, type Seen } from './primary.ts'

interface Wait {
  waitMs: number
  signal?: AbortSignal
  /** It must have applied it too, not only have it on its disk. */
  applied?: boolean
}

/**
 * Whether a replica follows one of `upstream`, by the word of the server it follows: that one streams to it, on its own
 * timeline, and the replica has on its disk what was written after this question was asked. A replica's own word is
 * worth nothing: one that has left the history says `streaming` for an instant at every try.
 *
 * Null: it follows. Else why not, as one phrase; `waitMs` is how long it has to get there.
 */
export async function whyNotFollowing(
  machines: Machines,
  replica: Member,
  upstream: readonly Member[],
  wait: Wait,
): Promise<string | null> {
  const limit = performance.now() + wait.waitMs
  let asked: Asked | null = null
  try {
    for (;;) {
      let why: string
      try {
        asked ??= await askUpstream(machines, replica, upstream)
        if (asked === null) why = 'no server that it could follow answers'
        else {
          const found = await judge(machines, asked, replica, wait.applied === true)
          if (found === null) return null
          why = found
        }
      } catch {
        await asked?.session.close()
        asked = null
        why = `the server that ${replica.instance} follows does not answer`
      }
      if (performance.now() >= limit) return why
      await sleep(100, undefined, wait.signal ? { signal: wait.signal } : {})
    }
  } finally {
    await asked?.session.close()
  }
}

interface Asked {
  head: Seen
  session: Session
  /** Its log up to now. */
  mark: number
}

async function askUpstream(machines: Machines, replica: Member, upstream: readonly Member[]): Promise<Asked | null> {
  const seen = (
    await lookAt(
      machines,
      upstream.filter(({ instance }) => instance !== replica.instance),
    )
  ).filter(({ recovering }) => recovering !== null)
  const primaries = seen.filter(({ recovering }) => recovering === false)
  const heads = primaries.length > 0 ? primaries : seen
  const [head] = heads.sort((a, b) => b.position.timeline - a.position.timeline)
  if (!head) return null
  const session = await openSession(machines, head.member, 'postgres', { timeoutMs: 2000 })
  try {
    // A server that follows another one itself writes nothing: what it has now is the mark.
    const mark =
      head.recovering === false
        ? Number(await session.value(`SELECT pg_logical_emit_message(false, 'remodel', 'mark', true) - '0/0'::pg_lsn`))
        : head.position.lsn
    return { head, session, mark }
  } catch (error) {
    await session.close()
    throw error
  }
}

async function judge(
  machines: Machines,
  { head, session, mark }: Asked,
  replica: Member,
  applied: boolean,
): Promise<string | null> {
  const name = head.member.instance
  const rows = await session.query(
    `SELECT state, flush_lsn - '0/0'::pg_lsn AS flushed, replay_lsn - '0/0'::pg_lsn AS applied
     FROM pg_stat_replication WHERE application_name = $1`,
    [replica.instance],
  )
  if (rows.length === 0) return `${replica.instance} is not connected to ${name}`
  const streaming = rows.filter(({ state }) => state === 'streaming')
  if (streaming.length === 0) return `${name} sends nothing to ${replica.instance}: its state is ${rows[0]!.state}`
  const most = (column: 'flushed' | 'applied') => Math.max(...streaming.map((row) => Number(row[column] ?? 0)))
  if (most('flushed') < mark) return `${replica.instance} is ${mark - most('flushed')} bytes behind ${name}`
  if (applied && most('applied') < mark) {
    return `${replica.instance} has received what ${name} wrote and has ${mark - most('applied')} bytes of it still to apply`
  }
  const [now] = await lookAt(machines, [replica])
  if (now!.recovering !== true) return `${replica.instance} is no replica`
  if (now!.position.timeline !== head.position.timeline) {
    return `${replica.instance} is on timeline ${now!.position.timeline}, ${name} on timeline ${head.position.timeline}`
  }
  return null
}
