import { setTimeout as sleep } from 'node:timers/promises'
import { endOfLog, whyNotConnected } from '../postgres/links/server-log.ts'
import { linkName } from '../postgres/names.ts'
import { type Machines, openSession } from '../postgres/server.ts'
import { addressOf, type Found } from './found.ts'

const timeoutMs = 5000
/**
 * A server that comes back, or whose provider does, connects again within five seconds (`wal_retrieve_retry_interval`).
 */
const patienceMs = 6500
const againMs = 500

/**
 * Why nothing reads what is kept for a link, as the reader's log has it; null where something does before long,
 * or it cannot be asked.
 */
export async function whyUnconnected(
  found: Found,
  [from, to]: readonly [string, string],
  machines: Machines,
): Promise<string | null> {
  const name = linkName(from, to)
  if (!found.primaries.get(from)?.idle.includes(name)) return null
  const [provider, reader] = [addressOf(found, from), addressOf(found, to)]
  if (!provider || !reader) return null
  const session = await openSession(machines, provider, 'postgres', { timeoutMs })
  try {
    const until = performance.now() + patienceMs
    const isRead = () => session.value('SELECT active FROM pg_replication_slots WHERE slot_name = $1', [name])
    while (performance.now() < until) {
      // One that is gone is no slot that waits for its reader.
      if ((await isRead()) !== false) return null
      await sleep(againMs)
    }
  } finally {
    await session.close()
  }
  const reason = whyNotConnected(await endOfLog(machines, reader.vm).catch(() => ''), name)
  return `${to} is not connected to ${from}${reason === '' ? '' : `: ${reason}`}`
}
