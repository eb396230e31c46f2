import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { lineAt } from '../archiving/line.ts'
import { inputs } from '../inputs.ts'
import { positionAt } from '../server/position.ts'
import { onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { admitSubscriber } from '../server/replication.ts'
import { ensureSubscription, originOf } from '../server/subscribe.ts'

/**
 * The new node's own record of a peer: what it has with its copy already is not taken again. The
 * subscription sleeps on.
 */
export default defineStep({
  input: inputs['advance-origin'],
  look: async () => null,
  async apply(context, input) {
    const lsn = await positionAt(context, input.position)
    const { members, provider, subscriber, deployment } = input
    const link = await admitSubscriber(context, deployment, {
      provider: members[provider] ?? [],
      subscriber: members[subscriber] ?? [],
    })
    const line = await lineAt(context, members[provider] ?? [])
    await onPrimary(context, members[subscriber] ?? [], input.database, async (session) => {
      const name = await ensureSubscription(session, { ...input, ...link }, line, context.signal)
      const enabled = await session.value('SELECT subenabled FROM pg_subscription WHERE subname = $1', [name])
      if (enabled !== true && lsn !== '0/0') {
        await session.query('SELECT pg_replication_origin_advance($1, $2::pg_lsn)', [
          await originOf(session, name),
          lsn,
        ])
      }
    })
    await failpoint('advance-origin.advanced')
  },
  verify: async (context, input) => recorded(context, input),
})
