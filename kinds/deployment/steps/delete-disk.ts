import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'

/** Takes a persistent disk away, off the machine it hangs on, with the data on it. */
export default defineStep({
  input: inputs['delete-disk'],
  look: async () => null,
  async apply(context, input) {
    const disk = await context.provider.findDisk(input.cid)
    if (disk?.vm !== undefined) await context.provider.detachDisk(disk.vm, input.cid, context.fence)
    await context.provider.deleteDisk(input.cid, context.fence)
  },
  verify: async (context) => ({ floorplan: { [context.material]: null } }),
})
