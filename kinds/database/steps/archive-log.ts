import { defineStep } from '../../contract/step.ts'
import { always } from '../archiving/every.ts'
import { shipLog } from '../archiving/ship.ts'
import { inputs } from '../inputs.ts'
import { findPrimary } from '../server/primary.ts'

/**
 * Archives the log of a node up to now, before it is taken down. A node without a server that
 * answers has nothing to add.
 */
export default defineStep({
  input: inputs['archive-log'],
  look: async () => null,
  async apply(context, { deployment, node, members }) {
    const primary = await findPrimary(context.provider, members)
    if (primary) await shipLog(context, { deployment, node, primary, members }, always())
  },
  verify: async () => ({ floorplan: {} }),
})
