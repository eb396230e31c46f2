import type { z } from 'zod'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { lineAt, type ReadLine } from '../archiving/line.ts'
import { inputs } from '../inputs.ts'
import { rowsText, waitingRows } from '../postgres/drain.ts'
import { takeTablesIn } from '../postgres/links/take-in.ts'
import { tablesLock } from '../postgres/locks.ts'
import { linkName, positionOrigin } from '../postgres/names.ts'
import type { Session } from '../postgres/server.ts'
import { beginFork } from '../server/fork.ts'
import { forgetPlaces, placesIn, takeUpPlace } from '../server/kept-place.ts'
import { onMachine } from '../server/machine.ts'
import { findPrimary, onPrimary, primaryOf } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { admitSubscriber } from '../server/replication.ts'
import { surviveFailover } from '../server/slots.ts'
import { ensureSubscription } from '../server/subscribe.ts'

type Link = Pick<z.infer<(typeof inputs)['set-up-subscription']>, 'provider' | 'subscriber' | 'database' | 'members'>

/**
 * A subscription that was dropped by hand took along how far it had come. Where nothing waits in its slot it had come
 * to the end; else some of what waits may be there already, and would come twice.
 */
async function refuseLostPlace(
  context: StepContext,
  session: Session,
  { provider, subscriber, database, members }: Link,
  line: ReadLine,
): Promise<void> {
  const known = await session.value(
    `SELECT 1 WHERE EXISTS (SELECT FROM pg_subscription WHERE subname = $1)
       OR EXISTS (SELECT FROM pg_replication_origin WHERE roname = ANY ($2) OR roname = $3)`,
    [linkName(provider, subscriber), placesIn(provider, line), positionOrigin(provider)],
  )
  if (known !== null) return
  const waiting = await onPrimary(context, members[provider] ?? [], database, (there) =>
    waitingRows(there, provider, subscriber),
  )
  if (waiting.rows === 0) return
  throw new RemodelError(
    'job-failed',
    `the subscription of ${subscriber} to ${provider} was dropped, and how far it had come with it: of the ${rowsText(waiting)} that wait for ${subscriber} some may be there already. Deploy without ${subscriber}, then add it again with source_node ${provider}; or deploy with --accept-loss, and they come once more`,
  )
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
    const primary = await primaryOf(context.provider, provider, context.signal)
    await onMachine(context, primary, (connection) => beginFork(context, connection, primary))
    const line = await lineAt(context, provider)
    await onPrimary(context, members, input.database, async (session) => {
      await session.query(`SELECT pg_advisory_lock_shared(${tablesLock})`)
      if (input.read) await refuseLostPlace(context, session, input, line)
      const name = await ensureSubscription(session, { ...input, ...link }, line, context.signal)
      await failpoint('set-up-subscription.created')
      if (!input.enabled) return
      const runs = await session.value('SELECT subenabled FROM pg_subscription WHERE subname = $1', [name])
      if (runs !== true) await takeUpPlace(session, input, line)
      await failpoint('set-up-subscription.placed')
      // A slot that was made with a restore is not kept by replicas yet: this tells the provider.
      if (runs !== true) await session.query(`ALTER SUBSCRIPTION ${name} SET (failover = true)`)
      await session.query(`ALTER SUBSCRIPTION ${name} ENABLE`)
      await session.query('BEGIN')
      await takeTablesIn(session)
      await session.query('COMMIT')
      // The position of the copy is the subscription's own by now.
      await session.query('SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname = $1', [
        positionOrigin(input.provider),
      ])
      await forgetPlaces(session, input.provider)
    })
    await failpoint('set-up-subscription.enabled')
    if (input.enabled) await surviveFailover(context, provider, linkName(input.provider, input.subscriber))
  },
  verify: async (context, input) => recorded(context, input),
})
