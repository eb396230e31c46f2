import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext, type StepResult } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'

/** Takes a machine away, and what went with it out of the floorplan. A machine that is gone already is success. */
export default defineStep({
  input: inputs['delete-vm'],
  look: async (context, input) => ((await context.provider.findVm(input.cid)) ? null : gone(context, input.forget)),
  async apply(context, input) {
    context.say('deleting the machine')
    await context.provider.deleteVm(input.cid, context.fence)
    await failpoint('delete-vm.deleted')
  },
  async verify(context, input) {
    if (await context.provider.findVm(input.cid))
      throw new RemodelError('infrastructure', `the machine ${input.cid} is still there`)
    return gone(context, input.forget)
  },
})

function gone(context: StepContext, forget: readonly string[]): StepResult {
  return { floorplan: Object.fromEntries([context.material, ...forget].map((id) => [id, null])) }
}
