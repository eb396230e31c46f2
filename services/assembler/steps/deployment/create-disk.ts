import { failpoint } from '../../../../shared/failpoint.ts'
import { inputs } from '../../../../shared/kinds/deployment.ts'
import { defineStep } from '../step.ts'

/** Makes a persistent disk under the id the plan chose; a disk of that id that exists is the one. */
export default defineStep({
  input: inputs['create-disk'],
  look: async () => null,
  async apply(context, input) {
    const ownership = { owner: `deployment/${input.deployment}`, purpose: context.material }
    await context.provider.createDisk({ id: input.cid, sizeMiB: input.disk.sizeMiB, ownership }, context.fence)
    await failpoint('create-disk.made')
  },
  verify: async (context, input) => ({
    floorplan: { [context.material]: { attributes: { ...input.disk }, needs: [], meta: { cid: input.cid } } },
  }),
})
