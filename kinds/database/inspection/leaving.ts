import { setTimeout as sleep } from 'node:timers/promises'
import { type Link, readerOf, readingOf, rowsText, waitingRows, whyStopped } from '../postgres/drain.ts'
import type { Incoming } from '../postgres/links/incoming.ts'
import { endOfLog } from '../postgres/links/server-log.ts'
import { type Machines, openSession, type Session } from '../postgres/server.ts'
import { addressOf, type Found } from './found.ts'

/** Between two looks: a link that has stopped tries again, and fails again, more often than that. */
const betweenMs = 1500
const timeoutMs = 5000

/** Why a link carries nothing, and how much waits for it. */
type Stopped = { stopped: string; waiting: string }

/**
 * Links of nodes that are to leave to nodes that stay, by their id, as far as they have stopped: a plan that removes
 * such a node is refused. One that is slow is none of these: its drain waits for it.
 */
export async function stoppedLinks(
  found: Found,
  /** Of the document. */
  nodes: readonly string[],
  machines: Machines,
): Promise<ReadonlyMap<string, Stopped>> {
  const leaving = [...found.primaries.keys()].filter((node) => !nodes.includes(node))
  const staying = [...found.primaries.keys()].filter((node) => nodes.includes(node))
  const pairs = leaving.flatMap((from) => staying.map((to) => [from, to] as const))
  const entries = await Promise.all(
    pairs.map(async ([from, to]) => {
      const why = await judgeLink(found, [from, to], machines).catch(() => null)
      return why === null ? [] : [[why.id, why.stopped] as const]
    }),
  )
  return new Map(entries.flat())
}

/**
 * Looks twice, with time for another try in between; null where the link carries what is written, or may only be slow.
 */
export async function judgeLink(found: Found, [from, to]: readonly [string, string], machines: Machines) {
  const provider = addressOf(found, from)
  const subscriber = addressOf(found, to)
  if (!provider || !subscriber) return null
  const there = await openSession(machines, provider, provider.database_name, { timeoutMs })
  const here = await openSession(machines, subscriber, subscriber.database_name, { timeoutMs }).catch(async (error) => {
    await there.close()
    throw error
  })
  try {
    const reader = () =>
      readerOf(here, { provider: from, database: subscriber.database_name }, () => endOfLog(machines, subscriber.vm))
    const why = await whyLinkStopped({ there, reader }, [from, to])
    if (why === null) return null
    const waiting = await waitingRows(there, from, to).then(rowsText, () => 'rows that cannot be counted')
    return { id: `${from}:${to}:${provider.database_name}`, stopped: { stopped: why, waiting } }
  } finally {
    await Promise.all([there.close(), here.close()])
  }
}

async function whyLinkStopped(
  { there, reader }: { there: Session; reader: () => Promise<Incoming | null> },
  [from, to]: readonly [string, string],
): Promise<string | null> {
  const look = async (): Promise<Link> => ({
    reading: await readingOf(there, from, to),
    reader: await reader(),
  })
  const link = await look()
  // One that was never made is not one that has stopped.
  if (!link.reader) return null
  const isPlain = !link.reader.enabled || link.reader.failure !== null
  if (!isPlain && link.reading && link.reading.behind > 0) await sleep(betweenMs)
  return whyStopped(from, to, link, await look())
}
