import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { positionAt } from '../server/position.ts'
import { onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'

/** Moves a slot without a reader to where the copy ends: the log before it need not be kept. */
export default defineStep({
  input: inputs['advance-slot'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members, position }) {
    const lsn = await positionAt(context, position)
    await onPrimary(context, members[provider] ?? [], database, (session) =>
      session.query(
        `SELECT pg_replication_slot_advance(slot_name, $2::pg_lsn) FROM pg_replication_slots
         WHERE slot_name = $1 AND NOT active AND confirmed_flush_lsn < $2::pg_lsn`,
        [linkName(provider, subscriber), lsn],
      ),
    )
    await failpoint('advance-slot.advanced')
  },
  verify: async (context, input) => recorded(context, input),
})
