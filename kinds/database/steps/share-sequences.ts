import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { shareSequences } from '../postgres/sequences.ts'
import { onPrimary } from '../server/primary.ts'

/** Sequences that a node made or set since, or that it had before it got a second node, draw its own numbers. */
export default defineStep({
  input: inputs['share-sequences'],
  look: async () => null,
  async apply(context, { node, members, database }) {
    await onPrimary(context, members, database, (session) => shareSequences(session, node))
    await failpoint('share-sequences.shared')
  },
  verify: async () => ({ floorplan: {} }),
})
