import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { lineAt } from '../archiving/line.ts'
import { inputs, type Member } from '../inputs.ts'
import { linkName, placesOf, positionOrigin } from '../postgres/names.ts'
import { openSession } from '../postgres/server.ts'
import { placesIn } from '../server/kept-place.ts'
import { lookAt, onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { dropSlot } from '../server/slots.ts'

/**
 * A slot on the provider: from now on nothing is lost to the subscriber. Replicas keep a copy of it for a failover. One
 * that a subscriber has read by, or knows its place for, is never made anew: it would begin behind rows that the
 * subscriber has not got. One that was kept over the restore of its subscriber (`anew`) is, where the subscriber has
 * what it was restored to: it holds rows that this has already.
 */
export default defineStep({
  input: inputs['create-slot'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members, loss, read, anew }) {
    const name = linkName(provider, subscriber)
    // Made before the slot: a replica that has the slot has the line.
    const line = await lineAt(context, members[provider] ?? [])
    await onPrimary(context, members[provider] ?? [], database, async (session) => {
      const [slot] = await session.query(
        'SELECT invalidation_reason AS why FROM pg_replication_slots WHERE slot_name = $1',
        [name],
      )
      const reader = { database, provider, subscriber, members: members[subscriber] ?? [] }
      if (slot && slot.why === null) {
        if (!anew || (await hasRead(context, reader, [placesOf(provider)]))) return
      } else if (!loss && (read || (await hasRead(context, reader, placesIn(provider, line))))) {
        const why = slot ? `was ended by the server (${String(slot.why).replaceAll('_', ' ')})` : 'is gone'
        throw new RemodelError(
          'job-failed',
          `the slot of ${provider} for ${subscriber} ${why}, and ${subscriber} misses what was written since: deploy without ${subscriber}, then add it again with source_node ${provider}`,
        )
      }
      if (slot) await dropSlot(session, name, context.signal)
      await failpoint('create-slot.dropped')
      await session.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput', false, false, true)`, [name])
    })
    await failpoint('create-slot.created')
  },
  verify: async (context, input) => recorded(context, input),
})

/**
 * Whether the subscriber has a subscription to the provider, or a place in its log: one that came with a copy, or
 * was kept by this name.
 */
async function hasRead(
  { provider: machines }: StepContext,
  {
    database,
    provider,
    subscriber,
    members,
  }: { database: string; provider: string; subscriber: string; members: readonly Member[] },
  places: readonly string[],
): Promise<boolean> {
  const seen = await lookAt(machines, members)
  const there =
    seen.find(({ recovering }) => recovering === false) ?? seen.find(({ recovering }) => recovering !== null)
  if (!there)
    throw new RemodelError('infrastructure', `${subscriber} does not answer, and may have read from ${provider}`)
  const session = await openSession(machines, there.member, 'postgres')
  try {
    const sql = `SELECT EXISTS (SELECT FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE subname = $1 AND datname = $2)
      OR NOT pg_is_in_recovery() AND EXISTS (SELECT FROM pg_replication_origin WHERE roname = $3 OR EXISTS (SELECT FROM unnest($4::text[]) place WHERE starts_with(roname, place)))`
    return (
      (await session.value(sql, [linkName(provider, subscriber), database, positionOrigin(provider), places])) === true
    )
  } finally {
    await session.close()
  }
}
