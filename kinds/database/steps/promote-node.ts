import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { elect } from '../server/election.ts'
import { completeFork, prepareFork } from '../server/fork.ts'
import { onMachine } from '../server/machine.ts'
import { recordedNode } from '../server/node-record.ts'
import { findPrimary } from '../server/primary.ts'
import { promote } from '../server/promote.ts'
import { settle } from '../server/settling.ts'

/**
 * Servers of a node answer and none takes writes: the change of its primary was cut off between the stop of the old one
 * and the promotion of the new one. The one that has most of the log becomes the primary, the others follow it.
 */
export default defineStep({
  input: inputs['promote-node'],
  look: async () => null,
  async apply(context, input) {
    const { members, to, candidates, synchronous } = input
    const preferred = [to, ...candidates.filter((one) => one !== to)]
    const chosen = await elect(context, { ...input, candidates: preferred })
    const { member } = chosen
    await onMachine(context, member, async (connection) => {
      if (chosen.recovering) {
        await prepareFork(context, connection, input, chosen)
        await context.pointOfNoReturn()
        context.say(`${member.instance} takes over`)
        await promote(context, connection, member)
        await failpoint('promote-node.promoted')
      }
      await completeFork(context, connection, member, input)
    })
    await settle(
      context,
      member,
      members.filter((one) => one !== member),
      { synchronous },
    )
    await failpoint('promote-node.settled')
  },
  async verify(context, input) {
    const primary = await findPrimary(context.provider, input.members)
    if (!primary) throw new RemodelError('infrastructure', `no server of ${input.node} became the primary`)
    return recordedNode(context, input, input.members, primary)
  },
})
