import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { onPrimaryIfAny } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { dropSlot } from '../server/slots.ts'

/**
 * Without this a subscriber that is gone would have its provider keep the log for ever. `kept`: one of the two nodes is
 * to be restored. Until that has come to its end it may come back as it was, and the slot with it: a slot of the node's
 * own goes aside with its data, and that of another node gives way to a new one (`create-slot`).
 */
export default defineStep({
  input: inputs['delete-slot'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members, going, kept }) {
    if (kept) return
    await onPrimaryIfAny(context, { members: members[provider] ?? [], going }, database, (session) =>
      dropSlot(session, linkName(provider, subscriber), context.signal),
    )
    await failpoint('delete-slot.dropped')
  },
  verify: async (context, input) => recorded(context, input),
})
