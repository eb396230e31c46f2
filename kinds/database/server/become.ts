import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { ReadLine } from '../archiving/line.ts'
import { positionOrigin } from '../postgres/names.ts'
import { shareSequences } from '../postgres/sequences.ts'
import type { Session } from '../postgres/server.ts'
import { moveOrigin } from './kept-place.ts'
import { dropSubscription, ensureSubscription, type Link, originOf } from './subscribe.ts'

/**
 * On a copy of the source that has just become a primary: the source's own subscriptions came along, with how far it
 * had come with each peer at exactly this position of its log. That is kept, the subscriptions go (not their slots,
 * which are the source's), and the subscription to the source is made, to start at the target. From now on it draws
 * numbers of its own. `line`: of the source.
 */
export async function becomeNode(
  session: Session,
  link: Link,
  { target, line, signal }: { target: string; line: ReadLine; signal: AbortSignal },
): Promise<void> {
  const { subscriber } = link
  const rows = await session.query(
    `SELECT subname, pg_replication_origin_progress('pg_' || oid, true)::text AS position FROM pg_subscription
     WHERE subname LIKE 'remodel\\_%' AND subname NOT LIKE $1`,
    [`remodel\\_%\\_${subscriber}`],
  )
  for (const { subname, position } of rows) {
    const peer = /^remodel_(n\d+)_/.exec(String(subname))?.[1]
    if (peer !== undefined) await moveOrigin(session, positionOrigin(peer), String(position ?? '0/0'))
    await failpoint('populate-node.position')
    await dropSubscription(session, String(subname))
  }
  await session.query(
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'logical' AND slot_name NOT LIKE $1`,
    [`remodel\\_${subscriber}\\_%`],
  )
  await shareSequences(session, subscriber)
  const name = await ensureSubscription(session, link, line, signal)
  const enabled = await session.value('SELECT subenabled FROM pg_subscription WHERE subname = $1', [name])
  if (enabled !== true) {
    await session.query('SELECT pg_replication_origin_advance($1, $2::pg_lsn)', [await originOf(session, name), target])
  }
}
