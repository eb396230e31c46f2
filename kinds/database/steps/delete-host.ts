import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { recorded } from '../server/record.ts'

/** Machine and disk. Whatever runs there ends with it. */
export default defineStep({
  input: inputs['delete-host'],
  look: async (context, input) => ((await gone(context, input.host)) ? recorded(context, input) : null),
  async apply(context, { host }) {
    await context.provider.deleteVm(host.vm, context.fence)
    await failpoint('delete-host.machine')
    await context.provider.deleteDisk(host.disk, context.fence)
  },
  async verify(context, input) {
    if (await gone(context, input.host)) return recorded(context, input)
    throw new RemodelError('infrastructure', `the machine ${input.host.vm} or its disk is still there`)
  },
})

async function gone(context: StepContext, host: { vm: string; disk: string }): Promise<boolean> {
  const [vm, disk] = await Promise.all([context.provider.findVm(host.vm), context.provider.findDisk(host.disk)])
  return vm === undefined && disk === undefined
}
