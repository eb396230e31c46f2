import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'

/** A position in the provider's log, taken now: a reader that confirms it has all that was written before. */
export default defineStep({
  input: inputs['send-mark'],
  look: async () => null,
  apply: async () => {},
  async verify(context: StepContext, input) {
    const { provider, database, members } = input
    const lsn = await onPrimary(context, members[provider] ?? [], database, (session) =>
      // Something after the mark must be sent, or an idle provider would say nothing.
      session.value(`SELECT pg_logical_emit_message(false, 'remodel', 'mark', true)::text`),
    )
    return recorded(context, input, { sync_event_lsn: String(lsn) })
  },
})
