import type { Member } from '../inputs.ts'
import { linkName, publication } from '../postgres/names.ts'
import { literal, type Session } from '../postgres/server.ts'
import { conninfo } from './configuration.ts'

interface Link {
  provider: string
  subscriber: string
  database: string
  members: Record<string, Member[]>
  /** The provider shows a certificate of the deployment's CA. */
  verified: boolean
}

/**
 * A subscription that does not run yet, unless there is one. It takes what its provider's own clients write and nothing
 * that came from other nodes (`origin = none`), else rows would go round in circles. Its slot is there already.
 */
export async function ensureSubscription(session: Session, link: Link): Promise<string> {
  const name = linkName(link.provider, link.subscriber)
  const info = conninfo(link.members[link.provider] ?? [], {
    database: link.database,
    name,
    wanted: 'read-write',
    verified: link.verified,
  })
  const known = await session.value('SELECT subconninfo FROM pg_subscription WHERE subname = $1', [name])
  if (known === null) {
    const options = `slot_name = ${name}, create_slot = false, copy_data = false, enabled = false, origin = none, streaming = off, failover = true`
    await session.query(
      `CREATE SUBSCRIPTION ${name} CONNECTION ${literal(info)} PUBLICATION ${publication} WITH (${options})`,
    )
    return name
  }
  if (known !== info) await session.query(`ALTER SUBSCRIPTION ${name} CONNECTION ${literal(info)}`)
  await readAsMade(session, name)
  return name
}

/** What another hand had it read is taken back. It does not run then, until it is enabled again. */
async function readAsMade(session: Session, name: string): Promise<void> {
  const asMade = await session.value(
    `SELECT subslotname IS NOT DISTINCT FROM subname AND subpublications = ARRAY[$2] AND suborigin = 'none' FROM pg_subscription WHERE subname = $1`,
    [name, publication],
  )
  if (asMade === true) return
  await session.query(`ALTER SUBSCRIPTION ${name} DISABLE`)
  await session.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = ${name}, origin = none)`)
  await session.query(`ALTER SUBSCRIPTION ${name} SET PUBLICATION ${publication} WITH (refresh = false)`)
}

/** Takes a subscription away and leaves the slot at its provider alone. */
export async function dropSubscription(session: Session, name: string): Promise<void> {
  if ((await session.value('SELECT 1 FROM pg_subscription WHERE subname = $1', [name])) === null) return
  await session.query(`ALTER SUBSCRIPTION ${name} DISABLE`)
  await session.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`)
  await session.query(`DROP SUBSCRIPTION ${name}`)
}

/** The origin by which a server knows how far it has come with a subscription. */
export async function originOf(session: Session, subscription: string): Promise<string> {
  return String(await session.value(`SELECT 'pg_' || oid FROM pg_subscription WHERE subname = $1`, [subscription]))
}
