import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { forgetPlaces, keepPlace } from '../server/kept-place.ts'
import { onPrimaryIfAny } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { dropSubscription } from '../server/subscribe.ts'

/**
 * The slot is a resource of its own and goes after it. `keep`: the node goes on from where it was,
 * once it is linked again.
 */
export default defineStep({
  input: inputs['delete-subscription'],
  look: async () => null,
  async apply(context, { provider, subscriber, database, members, going, keep }) {
    await onPrimaryIfAny(context, { members: members[subscriber] ?? [], going }, database, async (session) => {
      if (keep) await keepPlace(session, { provider, subscriber }, context.signal)
      await failpoint('delete-subscription.kept')
      await dropSubscription(session, linkName(provider, subscriber))
      if (!keep) await forgetPlaces(session, provider)
    })
    await failpoint('delete-subscription.dropped')
  },
  verify: async (context, input) => recorded(context, input),
})
