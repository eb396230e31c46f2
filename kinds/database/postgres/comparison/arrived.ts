import { setTimeout as sleep } from 'node:timers/promises'
import { linkName } from '../names.ts'
import type { Session } from '../server.ts'

const lookEveryMs = 100

/**
 * Waits until every node has what every other one had written when this was called, for a limited time. Answers the
 * links of which that is not so, as a sentence each. The mark is a message in the log that no table sees, so the
 * position behind it moves on an idle node too.
 */
export async function whatIsBehind(sessions: ReadonlyMap<string, Session>, limitMs: number): Promise<string[]> {
  const until = performance.now() + limitMs
  const links = await Promise.all(
    [...sessions].map(async ([from, session]) => {
      const mark = String(
        await session.value(`SELECT pg_logical_emit_message(false, 'remodel', 'compare', true)::text`),
      )
      return [...sessions.keys()].filter((to) => to !== from).map((to) => ({ from, to, session, mark }))
    }),
  )
  const behind = await Promise.all(
    links.flat().map(async ({ from, to, session, mark }) => {
      for (;;) {
        const arrived = await session.value(
          'SELECT confirmed_flush_lsn >= $2::pg_lsn FROM pg_replication_slots WHERE slot_name = $1',
          [linkName(from, to), mark],
        )
        if (arrived === true) return []
        if (arrived === null) return [`${from} keeps no log for ${to}, which gets nothing that ${from} writes`]
        if (performance.now() >= until) return [`${to} has not got all that ${from} has written`]
        await sleep(lookEveryMs)
      }
    }),
  )
  return behind.flat()
}
