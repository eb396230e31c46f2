import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member, Members } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { literal, type Session } from '../postgres/server.ts'
import { onPrimary, until } from './primary.ts'
import { surviveFailover } from './slots.ts'

interface End {
  was: string
  now: string
  members: readonly Member[]
}

interface RenamedLink {
  provider: End
  subscriber: End
  database: string
}

/** Both directions between a node that is renamed and each other one. */
export function linksOf(of: {
  from: string
  to: string
  database: string
  members: readonly Member[]
  peers: Members
}): RenamedLink[] {
  const own: End = { was: of.from, now: of.to, members: of.members }
  return Object.entries(of.peers).flatMap(([node, members]) => {
    const peer: End = { was: node, now: node, members }
    const { database } = of
    return [
      { provider: own, subscriber: peer, database },
      { provider: peer, subscriber: own, database },
    ]
  })
}

/**
 * The slot and the subscription of a link get their new name. PostgreSQL renames no slot: the new one is a copy, so it
 * keeps all that the old one keeps, and the old one goes when nothing reads it and every replica has the new one. How
 * far the subscriber has come is its own, and stays. Each part may have been done by an attempt before.
 *
 *   subscription disabled -> slot copied -> subscription reads the copy, has the new name, is
 *   enabled -> old slot dropped
 */
export async function renameLink(context: StepContext, link: RenamedLink): Promise<void> {
  const { provider, subscriber, database } = link
  const [was, now] = [linkName(provider.was, subscriber.was), linkName(provider.now, subscriber.now)]
  await onPrimary(context, subscriber.members, database, async (session) => {
    const found = await subscriptionOf(session, [was, now])
    if (found === null) return
    if (found.name === now && found.slot === now && found.enabled) return
    await session.query(`ALTER SUBSCRIPTION ${found.name} DISABLE`)
    await failpoint('rename-node.disabled')
    await onPrimary(context, provider.members, database, (at) => copySlot(context, at, [was, now]))
    await failpoint('rename-node.copied')
    await session.query(`ALTER SUBSCRIPTION ${found.name} SET (slot_name = ${now})`)
    if (found.name !== now) await session.query(`ALTER SUBSCRIPTION ${found.name} RENAME TO ${now}`)
    await failpoint('rename-node.renamed')
    // Where its provider is and how it shows who it is stays: only what the connection is called changes.
    const info = found.info.replace(/\bapplication_name=\S+/, `application_name=${now}`)
    await session.query(`ALTER SUBSCRIPTION ${now} CONNECTION ${literal(info)}`)
    // A copy of a slot is not kept by replicas: this tells the provider.
    await session.query(`ALTER SUBSCRIPTION ${now} SET (failover = true)`)
    await session.query(`ALTER SUBSCRIPTION ${now} ENABLE`)
  })
  await failpoint('rename-node.enabled')
  await surviveFailover(context, provider.members, now)
  await onPrimary(context, provider.members, database, (session) =>
    until(`dropping the slot ${was}`, context.signal, 20_000, async () => {
      await letGo(session, was)
      await session.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1', [
        was,
      ])
      return true
    }),
  )
  await failpoint('rename-node.dropped')
}

async function subscriptionOf(session: Session, names: readonly string[]) {
  const [row] = await session.query(
    `SELECT subname, subslotname, subenabled, subconninfo FROM pg_subscription JOIN pg_database d ON d.oid = subdbid
     WHERE subname = ANY ($1) AND datname = current_database()`,
    [names],
  )
  return row
    ? {
        name: String(row.subname),
        slot: String(row.subslotname),
        enabled: row.subenabled === true,
        info: String(row.subconninfo),
      }
    : null
}

async function copySlot(context: StepContext, session: Session, [was, now]: readonly [string, string]): Promise<void> {
  await until(`copying the slot ${was}`, context.signal, 20_000, async () => {
    const slots = await session.query(
      'SELECT slot_name AS name FROM pg_replication_slots WHERE slot_name = ANY ($1) AND invalidation_reason IS NULL',
      [[was, now]],
    )
    const names = slots.map(({ name }) => name)
    if (names.includes(now)) return true
    if (!names.includes(was))
      throw new RemodelError('job-failed', `the slot ${was} is gone: its reader would miss what was written since`)
    await letGo(session, was)
    await session.query('SELECT pg_copy_logical_replication_slot($1, $2)', [was, now])
    return true
  })
}

/** A reader that has ended holds its slot until its end of the connection says so. */
async function letGo(session: Session, slot: string): Promise<void> {
  await session.query(
    'SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1 AND active',
    [slot],
  )
}
