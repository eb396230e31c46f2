import type { z } from 'zod'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { drainOf, noteDrained } from '../postgres/drain.ts'
import { awaitPeers, isNear, stoppedLinks } from '../server/peers.ts'
import { onPrimary, primaryOf } from '../server/primary.ts'
import { giveWritesBack, stopWrites } from '../server/writes.ts'

type Input = z.infer<(typeof inputs)['drain-node']>

const lookAgainMs = 3000

/**
 * Before a node goes: all that it acknowledged is on every node that stays.
 *
 *   written to   Its peers come near first, so that clients are kept from writing for moments only.
 *                -- read only, no client comes in, sessions end -->
 *   closed       -- every peer has confirmed the end of its log -->
 *   done         The node itself remembers that: a removal that was cut off goes on from here, with the links half gone.
 *
 * A link that has stopped, or a peer that does not come on, gives writes back and fails with the number of rows that
 * would be lost; so does whatever else ends the step. `loss`: rows may be lost, the plan said so.
 */
export default defineStep({
  input: inputs['drain-node'],
  look: async () => null,
  async apply(context, input) {
    const { node, members, database, loss } = input
    const primary = await primaryOf(context.provider, members, context.signal)
    const drain = await onPrimary(context, members, 'postgres', (session) => drainOf(session, database))
    if (drain === 'done') return
    if (!loss) {
      refuse(input, await stoppedLinks(context, input))
      if (drain === 'none' && !(await isNear(context, input))) {
        context.say(`waiting for the other nodes to come near to what ${node} wrote`)
        return { for: `the other nodes having nearly all that ${node} wrote`, afterMs: lookAgainMs }
      }
    }
    try {
      context.say(`ending writes on ${node}`)
      await stopWrites(context, { ...input, primary })
      await failpoint('drain-node.closed')
      context.say(`waiting for the other nodes to have all that ${node} wrote`)
      const missing = await awaitPeers(context, input)
      if (!loss) refuse(input, missing)
      await onPrimary(context, members, 'postgres', (session) => noteDrained(session, database))
    } catch (error) {
      if (!(error instanceof RemodelError && error.code === 'superseded')) await giveBack(context, input)
      throw error
    }
    await failpoint('drain-node.drained')
  },
  verify: async () => ({ floorplan: {} }),
})

function refuse({ node }: Input, missing: readonly string[]): void {
  if (missing.length === 0) return
  throw new RemodelError(
    'job-failed',
    `${node} is not removed, as what only it has would be lost: ${missing.join('; ')}. Repair that and deploy again, or deploy with --accept-loss; ${node} takes writes as before`,
  )
}

/** Also where the step was asked to stop: nothing else would let its clients in again. */
async function giveBack(context: StepContext, input: Input): Promise<void> {
  try {
    await giveWritesBack({ ...context, signal: AbortSignal.timeout(20_000) }, input, { arranged: false })
  } catch (error) {
    context.log.warn({ node: input.node, err: error }, 'writes could not be given back')
  }
}
