import { importStemcell } from '../../../shared/provider/stemcell.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext, type StepResult } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'

/**
 * Makes a machine under the id the plan chose. The provider stores that id and the owner on the machine before it
 * exists, so after a crash the same id finds it again: it is finished, never made twice.
 */
export default defineStep({
  input: inputs['create-vm'],
  look: async (context, input) =>
    (await context.provider.findVm(input.cid))?.state === 'running' ? recorded(context, input) : null,
  async apply(context, input) {
    const stemcell = await importStemcell(context.provider, context.blobs, input.stemcell)
    context.say('creating the machine')
    await context.provider.createVm(
      {
        id: input.cid,
        stemcell,
        addresses: input.vm.networks.map((network) => network.address),
        network: 'shared',
        resources: definedOnly(input.resources),
        // After a crash this says whether the machine is the one that a plan wants.
        ownership: { owner: `deployment/${input.deployment}`, purpose: input.vm.purpose, vm: JSON.stringify(input.vm) },
      },
      context.fence,
      context.signal,
    )
    await failpoint('create-vm.made')
  },
  async verify(context, input) {
    const vm = await context.provider.findVm(input.cid)
    if (vm?.state !== 'running')
      throw new RemodelError(
        'infrastructure',
        `the machine ${input.cid} is ${vm?.state ?? 'gone'} right after it was made`,
      )
    return recorded(context, input)
  },
})

function recorded(context: StepContext, input: { vm: object }): StepResult {
  return { floorplan: { [context.material]: { attributes: { ...input.vm }, needs: [], meta: {} } } }
}

function definedOnly(resources: Record<string, number | undefined>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(resources).filter((entry): entry is [string, number] => entry[1] !== undefined),
  )
}
