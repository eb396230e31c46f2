import type { z } from 'zod'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext, type StepResult } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'

type Input = z.infer<(typeof inputs)['create-disk']>

/** Makes a persistent disk under the id the plan chose; a disk of that id that exists is the one. */
export default defineStep({
  input: inputs['create-disk'],
  look: async (context, input) => ((await context.provider.findDisk(input.cid)) ? recorded(context, input) : null),
  async apply(context, input) {
    const ownership = { owner: `deployment/${input.deployment}`, purpose: context.material }
    await context.provider.createDisk({ id: input.cid, sizeMiB: input.disk.sizeMiB, ownership }, context.fence)
    await failpoint('create-disk.made')
  },
  verify: async (context, input) => recorded(context, input),
})

function recorded(context: StepContext, { cid, disk, kept }: Input): StepResult {
  const meta = { cid, ...(kept ? { kept } : {}) }
  return { floorplan: { [context.material]: { attributes: { ...disk }, needs: [], meta } } }
}
