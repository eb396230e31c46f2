import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { onPrimaryIfAny, until } from '../server/primary.ts'
import { recorded } from '../server/record.ts'

/** Without this a subscriber that is gone would have its provider keep the log for ever. */
export default defineStep({
  input: inputs['delete-slot'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members, going }) {
    const name = linkName(provider, subscriber)
    await onPrimaryIfAny(context, { members: members[provider] ?? [], going }, database, async (session) => {
      await until(`dropping the slot ${name}`, context.signal, 20_000, async () => {
        const of = 'FROM pg_replication_slots WHERE slot_name = $1'
        await session.query(`SELECT pg_terminate_backend(active_pid, 1000) ${of} AND active`, [name])
        await session.query(`SELECT pg_drop_replication_slot(slot_name) ${of}`, [name])
        return true
      })
    })
    await failpoint('delete-slot.dropped')
  },
  verify: async (context, input) => recorded(context, input),
})
