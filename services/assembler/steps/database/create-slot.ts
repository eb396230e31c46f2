import { failpoint } from '../../../../shared/failpoint.ts'
import { inputs } from '../../../../shared/kinds/database.ts'
import { linkName } from '../../../../shared/postgres/names.ts'
import { defineStep } from '../step.ts'
import { onPrimary } from './server/primary.ts'
import { recorded } from './server/record.ts'

/** A slot on the provider: from now on nothing is lost to the subscriber. Replicas keep a copy of it for a failover. */
export default defineStep({
  input: inputs['create-slot'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members }) {
    const name = linkName(provider, subscriber)
    await onPrimary(context, members[provider] ?? [], database, async (session) => {
      if ((await session.value('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [name])) !== null) return
      await session.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput', false, false, true)`, [name])
    })
    await failpoint('create-slot.created')
  },
  verify: async (context, input) => recorded(context, input),
})
