import { inputs } from '../../../../shared/kinds/database.ts'
import { defineStep } from '../step.ts'
import { always } from './archive/every.ts'
import { shipLog } from './archive/ship.ts'
import { findPrimary } from './server/primary.ts'

/** What a node has written up to now is archived before it is taken down. One that nobody answers for has nothing to add. */
export default defineStep({
  input: inputs['archive-log'],
  look: async () => null,
  async apply(context, { deployment, node, members }) {
    const primary = await findPrimary(context.provider, members)
    if (primary) await shipLog(context, { deployment, node, primary, members }, always())
  },
  verify: async () => ({ floorplan: {} }),
})
