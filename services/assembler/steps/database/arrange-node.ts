import { failpoint } from '../../../../shared/failpoint.ts'
import { inputs } from '../../../../shared/kinds/database.ts'
import { defineStep } from '../step.ts'
import { arrangeNode } from './server/arrangement.ts'
import { recordedNode } from './server/node-record.ts'
import { findPrimary } from './server/primary.ts'

/** The servers of a node as one: who follows whom, and what commits wait for. */
export default defineStep({
  input: inputs['arrange-node'],
  look: async () => null,
  async apply(context, input) {
    // It takes no writes before it is populated; the step that does that arranges it.
    if (input.copied && (await findPrimary(context.provider, input.members)) === null) return
    await arrangeNode(context, input.members, input)
    await failpoint('arrange-node.arranged')
  },
  async verify(context, input) {
    return recordedNode(context, input, input.members, await findPrimary(context.provider, input.members))
  },
})
