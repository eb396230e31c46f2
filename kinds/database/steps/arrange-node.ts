import type { z } from 'zod'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs, type Member } from '../inputs.ts'
import { arrangeNode } from '../server/arrangement.ts'
import { whyNotFollowing } from '../server/following.ts'
import { recordedNode } from '../server/node-record.ts'
import { findPrimary, primaryOf } from '../server/primary.ts'

/** How long a server has to follow that is set up later anyway. */
const laterMs = 2000

/** The servers of a node as one: who follows whom, and what commits wait for. */
export default defineStep({
  input: inputs['arrange-node'],
  look: async () => null,
  async apply(context, input) {
    // It takes no writes before it is populated; the step that does that arranges it.
    if (input.copied && (await findPrimary(context.provider, input.members)) === null) return
    await arrangeNode(context, await arrangeable(context, input), input)
    await failpoint('arrange-node.arranged')
  },
  async verify(context, input) {
    return recordedNode(context, input, input.members, await findPrimary(context.provider, input.members))
  },
})

/**
 * All but the replicas that do not follow and that a later remodel sets up: who they are is only known here,
 * as a primary is elected.
 */
async function arrangeable(
  context: StepContext,
  { members, later }: z.infer<(typeof inputs)['arrange-node']>,
): Promise<Member[]> {
  if (later.length === 0) return members
  const primary = await primaryOf(context.provider, members, context.signal)
  const wait = { waitMs: laterMs, signal: context.signal }
  const whys = await Promise.all(
    members.map((member) =>
      member.instance === primary.instance || !later.includes(member.instance)
        ? null
        : whyNotFollowing(context.provider, member, [primary], wait),
    ),
  )
  return members.filter((_, index) => whys[index] === null)
}
