import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'

/** Moves a persistent disk to a machine: off the one it hangs on, if any, then on. */
export default defineStep({
  input: inputs['attach-disk'],
  look: async (context, input) => ((await holder(context, input.disk)) === input.vm ? { floorplan: {} } : null),
  async apply(context, input) {
    const from = await holder(context, input.disk)
    if (from !== undefined) {
      context.say(`detaching the disk from ${from}`)
      await context.provider.detachDisk(from, input.disk, context.fence)
      await failpoint('attach-disk.detached')
    }
    context.say('attaching the disk')
    await context.provider.attachDisk(input.vm, input.disk, context.fence)
    await failpoint('attach-disk.attached')
  },
  async verify(context, input) {
    const at = await holder(context, input.disk)
    if (at !== input.vm)
      throw new RemodelError(
        'infrastructure',
        `the disk ${input.disk} hangs on ${at ?? 'nothing'} instead of ${input.vm}`,
      )
    return { floorplan: {} }
  },
})

async function holder(context: StepContext, disk: string): Promise<string | undefined> {
  const found = await context.provider.findDisk(disk)
  if (!found) throw new RemodelError('infrastructure', `the disk ${disk} does not exist`)
  return found.vm
}
