import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { linkPattern } from '../postgres/names.ts'
import { openSession, type Session } from '../postgres/server.ts'
import { lookAt, until } from './primary.ts'
import { whyLinkStopped } from './stopped-link.ts'

/** A sleeping synchronisation looks every 30 s at the latest. */
const waitMs = 90_000

/**
 * Waits until a replica keeps a copy of every logical slot of its primary that is awaited. Before that the replica must
 * not take over: the other nodes would go on from a slot that is not there, and miss what was written in between.
 */
export async function slotsArrived(
  context: StepContext,
  primary: Member,
  replica: Member,
  isAwaited: (slot: string) => boolean = () => true,
): Promise<void> {
  const { provider: machines, signal } = context
  let missing: string[] = []
  const arrived = async () => {
    const [there, here] = [
      await openSession(machines, primary, 'postgres'),
      await openSession(machines, replica, 'postgres'),
    ]
    try {
      // A copy is kept from a known point on; the snapshot makes one.
      const wanted = await there.query(
        `SELECT slot_name, pg_log_standby_snapshot()::text FROM pg_replication_slots WHERE slot_type = 'logical' AND failover`,
      )
      const names = wanted.map((row) => String(row.slot_name)).filter(isAwaited)
      const sql = `SELECT slot_name FROM pg_replication_slots WHERE synced AND NOT temporary AND invalidation_reason IS NULL`
      const kept = new Set((await here.query(sql)).map((row) => row.slot_name))
      missing = names.filter((name) => !kept.has(name))
      return missing.length === 0
    } finally {
      await Promise.all([there.close(), here.close()])
    }
  }
  const what = `the slots of ${primary.instance} reaching ${replica.instance}`
  try {
    await until(what, signal, waitMs, arrived)
  } catch (cause) {
    const whys = signal.aborted ? [] : await Promise.all(missing.map((slot) => whyNotRead(context, slot)))
    const known = whys.filter((why) => why !== null)
    if (known.length === 0) throw cause
    throw new RemodelError('infrastructure', `${what} has not happened: ${known.join('; ')}`, { cause })
  }
}

/** Its reader is cut off. */
export async function dropSlot(session: Session, name: string, signal: AbortSignal): Promise<void> {
  await until(`dropping the slot ${name}`, signal, 20_000, async () => {
    const of = 'FROM pg_replication_slots WHERE slot_name = $1'
    await session.query(`SELECT pg_terminate_backend(active_pid, 1000) ${of} AND active`, [name])
    await session.query(`SELECT pg_drop_replication_slot(slot_name) ${of}`, [name])
    return true
  })
}

/** The provider may lose its primary at any time from now on: whichever server takes over has this slot. */
export async function surviveFailover(context: StepContext, providers: readonly Member[], name: string): Promise<void> {
  const seen = await lookAt(context.provider, providers)
  const primary = seen.find(({ recovering }) => recovering === false)?.member
  if (!primary) return
  const replicas = seen.filter(({ recovering }) => recovering === true)
  if (replicas.length > 0) context.say('waiting until replicas keep its slot')
  await Promise.all(replicas.map(({ member }) => slotsArrived(context, primary, member, (slot) => slot === name)))
}

/** A slot that its reader does not move lies before what a new replica has: no copy of it can be made. */
async function whyNotRead(context: StepContext, slot: string): Promise<string | null> {
  const [, provider, subscriber] = linkPattern.exec(slot) ?? []
  return provider === undefined ? null : whyLinkStopped(context, [provider, subscriber!])
}
