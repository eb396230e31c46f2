import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs, type Member } from '../inputs.ts'
import { positionOrigin } from '../postgres/names.ts'
import { findPrimary, lookAt, onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { admitSubscriber } from '../server/replication.ts'
import { slotsArrived } from '../server/slots.ts'
import { ensureSubscription } from '../server/subscribe.ts'

/** The provider may lose its primary at any time from now on: whoever takes over has the slot. */
async function surviveFailover(context: StepContext, providers: readonly Member[]): Promise<void> {
  const seen = await lookAt(context.provider, providers)
  const primary = seen.find(({ recovering }) => recovering === false)?.member
  if (!primary) return
  const replicas = seen.filter(({ recovering }) => recovering === true)
  if (replicas.length > 0) context.say('waiting until replicas keep its slot')
  await Promise.all(replicas.map(({ member }) => slotsArrived(context, primary, member)))
}

/** One direction between two nodes; tables that came since are taken in. */
export default defineStep({
  input: inputs['set-up-subscription'],
  look: async () => null,
  async apply(context, input) {
    const members = input.members[input.subscriber] ?? []
    // A node that still follows its source gets the subscription together with its position: `advance-origin`.
    if (input.copied && (await findPrimary(context.provider, members)) === null) return
    const provider = input.members[input.provider] ?? []
    const link = await admitSubscriber(context, input.deployment, { provider, subscriber: members })
    await failpoint('set-up-subscription.admitted')
    await onPrimary(context, members, input.database, async (session) => {
      const name = await ensureSubscription(session, { ...input, ...link })
      await failpoint('set-up-subscription.created')
      if (!input.enabled) return
      const runs = await session.value('SELECT subenabled FROM pg_subscription WHERE subname = $1', [name])
      // A slot that was made with a restore is not kept by replicas yet: this tells the provider.
      if (runs !== true) await session.query(`ALTER SUBSCRIPTION ${name} SET (failover = true)`)
      await session.query(`ALTER SUBSCRIPTION ${name} ENABLE`)
      await session.query(`ALTER SUBSCRIPTION ${name} REFRESH PUBLICATION WITH (copy_data = false)`)
      // The position of the copy is the subscription's own by now.
      await session.query('SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname = $1', [
        positionOrigin(input.provider),
      ])
    })
    await failpoint('set-up-subscription.enabled')
    if (input.enabled) await surviveFailover(context, provider)
  },
  verify: async (context, input) => recorded(context, input),
})
