import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'

/** Makes a persistent disk larger; what is on it stays. */
export default defineStep({
  input: inputs['resize-disk'],
  look: async () => null,
  apply: async (context, input) => context.provider.resizeDisk(input.cid, input.disk.sizeMiB, context.fence),
  verify: async (context, input) => ({
    floorplan: { [context.material]: { attributes: { ...input.disk }, needs: [], meta: { cid: input.cid } } },
  }),
})
