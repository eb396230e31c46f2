import type { ReadLine } from '../archiving/line.ts'
import type { Member } from '../inputs.ts'
import { linkName, publication } from '../postgres/names.ts'
import { literal, type Session } from '../postgres/server.ts'
import { conninfo } from './configuration.ts'
import { goOnInFork, lineIn, remarkOf } from './kept-place.ts'

export interface Link {
  provider: string
  subscriber: string
  database: string
  members: Record<string, Member[]>
  /** The provider shows a certificate of the deployment's CA. */
  verified: boolean
}

/**
 * A subscription that does not run yet, unless there is one. It takes what its provider's own clients write and
 * nothing that came from other nodes (`origin = none`), else rows would go round in circles. Its slot is there
 * already. `line`: of the provider's data as it is. One that reads what that forked from goes on from the fork. One
 * that reads another line, as its node was away when the provider was restored, is of no use: its position means
 * nothing there, and rows would be skipped.
 */
export async function ensureSubscription(
  session: Session,
  link: Link,
  line: ReadLine,
  signal: AbortSignal,
): Promise<string> {
  const name = linkName(link.provider, link.subscriber)
  const comment = `COMMENT ON SUBSCRIPTION ${name} IS ${literal(remarkOf(line.name))}`
  const info = conninfo(link.members[link.provider] ?? [], {
    database: link.database,
    name,
    wanted: 'read-write',
    verified: link.verified,
  })
  const [found] = await session.query(
    `SELECT subconninfo AS info, obj_description(oid, 'pg_subscription') AS comment FROM pg_subscription WHERE subname = $1`,
    [name],
  )
  const reads = lineIn(found?.comment)
  const goesOn = found !== undefined && (await goOnInFork(session, name, line, signal))
  const isOther = reads !== null && reads !== line.name && !goesOn
  if (isOther) await dropSubscription(session, name)
  if (!found || isOther) {
    const options = `slot_name = ${name}, create_slot = false, copy_data = false, enabled = false, origin = none, run_as_owner = false, streaming = off, failover = true`
    // One transaction: there is none that does not say what it reads.
    await session.query(
      `CREATE SUBSCRIPTION ${name} CONNECTION ${literal(info)} PUBLICATION ${publication} WITH (${options}); ${comment}`,
    )
    return name
  }
  if (reads === null) await session.query(comment)
  if (found.info !== info) await session.query(`ALTER SUBSCRIPTION ${name} CONNECTION ${literal(info)}`)
  await readAsMade(session, name)
  return name
}

/** Takes back a change by hand of what it reads. It does not run then, until it is enabled again. */
async function readAsMade(session: Session, name: string): Promise<void> {
  const asMade = await session.value(
    `SELECT subslotname IS NOT DISTINCT FROM subname AND subpublications = ARRAY[$2] AND suborigin = 'none' AND NOT subrunasowner FROM pg_subscription WHERE subname = $1`,
    [name, publication],
  )
  if (asMade === true) return
  await session.query(`ALTER SUBSCRIPTION ${name} DISABLE`)
  await session.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = ${name}, origin = none, run_as_owner = false)`)
  await session.query(`ALTER SUBSCRIPTION ${name} SET PUBLICATION ${publication} WITH (refresh = false)`)
}

/** Takes a subscription away and leaves the slot at its provider alone. */
export async function dropSubscription(session: Session, name: string): Promise<void> {
  if ((await session.value('SELECT 1 FROM pg_subscription WHERE subname = $1', [name])) === null) return
  await session.query(`ALTER SUBSCRIPTION ${name} DISABLE`)
  await session.query(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`)
  await session.query(`COMMENT ON SUBSCRIPTION ${name} IS NULL`)
  await session.query(`DROP SUBSCRIPTION ${name}`)
}

/** The origin by which a server knows how far it has come with a subscription. */
export async function originOf(session: Session, subscription: string): Promise<string> {
  return String(await session.value(`SELECT 'pg_' || oid FROM pg_subscription WHERE subname = $1`, [subscription]))
}
