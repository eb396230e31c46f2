import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs, type Member } from '../inputs.ts'
import { linkName, positionOrigin } from '../postgres/names.ts'
import { openSession } from '../postgres/server.ts'
import { lookAt, onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'

/**
 * A slot on the provider: from now on nothing is lost to the subscriber. Replicas keep a copy of it for a failover. One that a subscriber
 * has read by, or knows its place for, is never made anew: it would begin behind rows that the subscriber has not got.
 */
export default defineStep({
  input: inputs['create-slot'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members, loss }) {
    const name = linkName(provider, subscriber)
    await onPrimary(context, members[provider] ?? [], database, async (session) => {
      const [slot] = await session.query(
        'SELECT invalidation_reason AS why FROM pg_replication_slots WHERE slot_name = $1',
        [name],
      )
      if (slot && slot.why === null) return
      const reader = { database, provider, subscriber, members: members[subscriber] ?? [] }
      if (!loss && (await hasRead(context, reader))) {
        const why = slot ? `was ended by the server (${String(slot.why).replaceAll('_', ' ')})` : 'is gone'
        throw new RemodelError(
          'job-failed',
          `the slot of ${provider} for ${subscriber} ${why}, and ${subscriber} misses what was written since: deploy without ${subscriber}, then add it again with source_node ${provider}`,
        )
      }
      if (slot) await session.query('SELECT pg_drop_replication_slot($1)', [name])
      await session.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput', false, false, true)`, [name])
    })
    await failpoint('create-slot.created')
  },
  verify: async (context, input) => recorded(context, input),
})

/** Whether the subscriber has a subscription to the provider, or a place in its log that came with a copy and became its own. */
async function hasRead(
  { provider: machines }: StepContext,
  {
    database,
    provider,
    subscriber,
    members,
  }: { database: string; provider: string; subscriber: string; members: readonly Member[] },
): Promise<boolean> {
  const seen = await lookAt(machines, members)
  const there =
    seen.find(({ recovering }) => recovering === false) ?? seen.find(({ recovering }) => recovering !== null)
  if (!there)
    throw new RemodelError('infrastructure', `${subscriber} does not answer, and may have read from ${provider}`)
  const session = await openSession(machines, there.member, 'postgres')
  try {
    const sql = `SELECT EXISTS (SELECT FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE subname = $1 AND datname = $2)
      OR NOT pg_is_in_recovery() AND EXISTS (SELECT FROM pg_replication_origin WHERE roname = $3)`
    return (await session.value(sql, [linkName(provider, subscriber), database, positionOrigin(provider)])) === true
  } finally {
    await session.close()
  }
}
