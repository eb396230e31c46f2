import { RemodelError } from '../../../shared/runtime/errors.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { openSession } from '../postgres/server.ts'
import { primaryOf, waitFor } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { whyLinkStopped } from '../server/stopped-link.ts'

/**
 * Waits until the subscriber has confirmed the mark, as its provider's slot knows: hours, where a copy is far behind.
 */
export default defineStep({
  input: inputs['await-mark'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members, mark }) {
    const lsn = (await context.actual(mark))?.attributes.sync_event_lsn
    if (typeof lsn !== 'string' || lsn === '') throw new RemodelError('infrastructure', `${mark} was not sent`)
    const slot = linkName(provider, subscriber)
    context.say(`waiting for ${subscriber} to have what ${provider} wrote`)
    const wait = await waitFor(`${subscriber} having what ${provider} wrote`, context.signal, async () => {
      const session = await openSession(
        context.provider,
        await primaryOf(context.provider, members[provider] ?? [], context.signal),
        database,
      )
      try {
        // An idle server writes nothing that a subscriber could confirm.
        await session.query(`SELECT pg_logical_emit_message(false, 'remodel', 'nudge', true)`)
        const sql = 'SELECT confirmed_flush_lsn >= $2::pg_lsn FROM pg_replication_slots WHERE slot_name = $1'
        return (await session.value(sql, [slot, lsn])) === true
      } finally {
        await session.close()
      }
    })
    const why = wait && (await whyLinkStopped(context, [provider, subscriber]))
    return wait && why ? { ...wait, for: `${wait.for}: ${why}` } : wait
  },
  verify: async (context, input) => recorded(context, input),
})
