import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { onPrimaryIfAny } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { dropSubscription } from '../server/subscribe.ts'

/** The slot is a resource of its own and goes after it. */
export default defineStep({
  input: inputs['delete-subscription'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members, going }) {
    await onPrimaryIfAny(context, { members: members[subscriber] ?? [], going }, database, (session) =>
      dropSubscription(session, linkName(provider, subscriber)),
    )
    await failpoint('delete-subscription.dropped')
  },
  verify: async (context, input) => recorded(context, input),
})
