import { setTimeout as sleep } from 'node:timers/promises'
import type { StepContext } from '../../contract/step.ts'
import type { Members } from '../inputs.ts'
import { type Link, type Reading, readerOf, readingOf, rowsText, waitingRows, whyStopped } from '../postgres/drain.ts'
import { endOfLog } from '../postgres/links/server-log.ts'
import { lsnOf } from '../postgres/position.ts'
import { openSession, type Session } from '../postgres/server.ts'
import { findPrimary, primaryOf } from './primary.ts'

/** What a node wrote, and who is to have it. */
interface Written {
  node: string
  database: string
  members: Members[string]
  peers: Members
}

/** Bytes that are sent and applied within moments. */
const nearBytes = 16 * 2 ** 20
/** A reader that confirms nothing more for this long, though it is asked to, does not come on. */
const patienceMs = 60_000
const errorsMs = 2000
const pollMs = 200

/** Whether no more than moments lie between the node and those that read from it. */
export async function isNear(context: StepContext, written: Written): Promise<boolean> {
  return onNode(context, written, async (session) => {
    const readings = await readingsOf(session, written)
    return [...readings.values()].every((reading) => reading !== null && reading.behind < nearBytes)
  })
}

/**
 * Links that do not carry what the node writes, each as a phrase with the number of rows that wait; it is looked twice.
 */
export async function stoppedLinks(context: StepContext, written: Written): Promise<string[]> {
  return onNode(context, written, async (session) => {
    const before = await look(context, session, written)
    const suspects = [...before].filter(([, { reading, reader }]) => (reading?.behind ?? 1) > 0 || !reader?.enabled)
    if (suspects.length === 0) return []
    await nudge(session)
    await sleep(errorsMs, undefined, { signal: context.signal })
    const after = await look(context, session, written)
    const found: string[] = []
    for (const [peer] of suspects) {
      const why = whyStopped(written.node, peer, before.get(peer)!, after.get(peer)!)
      if (why !== null) found.push(await withRows(session, written.node, peer, why))
    }
    return found
  })
}

/**
 * Waits until every peer has confirmed the end of the node's log as it is now. Answers who does not get there, each as
 * a phrase with the number of rows that are missing.
 */
export async function awaitPeers(context: StepContext, written: Written): Promise<string[]> {
  return onNode(context, written, async (session) => {
    const end = String(await session.value(`SELECT pg_logical_emit_message(false, 'remodel', 'end', true)::text`))
    let moved = performance.now()
    let last = ''
    let before: Map<string, Link> | null = null
    for (;;) {
      await nudge(session)
      const readings = await readingsOf(session, written)
      const open = [...readings].filter(([, reading]) => reading === null || lsnOf(reading.confirmed) < lsnOf(end))
      if (open.length === 0) return []
      const now = open.map(([peer, reading]) => `${peer} ${reading?.confirmed}`).join()
      if (now !== last) {
        moved = performance.now()
        before = null
      }
      last = now
      const still = performance.now() - moved
      if (still > errorsMs) {
        const states = await look(context, session, written)
        for (const [peer] of open) {
          const late = still > patienceMs ? `${peer} does not come on` : null
          const why = (before && whyStopped(written.node, peer, before.get(peer)!, states.get(peer)!)) ?? late
          if (why !== null) return [await withRows(session, written.node, peer, why)]
        }
        before ??= states
      }
      await sleep(pollMs, undefined, { signal: context.signal })
    }
  })
}

async function look(context: StepContext, session: Session, written: Written): Promise<Map<string, Link>> {
  const readings = await readingsOf(session, written)
  const found = await Promise.all(
    Object.entries(written.peers).map(async ([peer, members]): Promise<[string, Link]> => {
      const reading = readings.get(peer) ?? null
      const primary = await findPrimary(context.provider, members)
      if (!primary) return [peer, { reading, reader: undefined }]
      const there = await openSession(context.provider, primary, written.database, { timeoutMs: 5000 })
      try {
        const of = { provider: written.node, database: written.database }
        return [peer, { reading, reader: await readerOf(there, of, () => endOfLog(context.provider, primary.vm)) }]
      } finally {
        await there.close()
      }
    }),
  )
  return new Map(found)
}

async function readingsOf(session: Session, { node, peers }: Written): Promise<Map<string, Reading | null>> {
  const readings = new Map<string, Reading | null>()
  for (const peer of Object.keys(peers)) readings.set(peer, await readingOf(session, node, peer))
  return readings
}

/** An idle server writes nothing that a reader could confirm. */
async function nudge(session: Session): Promise<void> {
  await session.query(`SELECT pg_logical_emit_message(false, 'remodel', 'nudge', true)`)
}

async function withRows(session: Session, node: string, peer: string, why: string): Promise<string> {
  try {
    return `${why}, and ${rowsText(await waitingRows(session, node, peer))} that ${node} wrote have not reached ${peer}`
  } catch {
    return `${why}, and the rows that have not reached ${peer} cannot be counted`
  }
}

async function onNode<T>(
  context: StepContext,
  { members, database }: Written,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const primary = await primaryOf(context.provider, members, context.signal)
  const session = await openSession(context.provider, primary, database, { signal: context.signal })
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}
