import { importStemcell } from '../../../shared/provider/stemcell.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { postgresMount } from '../postgres/binaries.ts'
import { doesAnswer } from '../server/machine.ts'
import { recorded } from '../server/record.ts'

/**
 * A machine from this machine's own root, with a persistent disk that outlives it: what is on the
 * disk survives its loss.
 */
export default defineStep({
  input: inputs['create-host'],
  look: async (context, input) => {
    if (!(await exists(context, input.host))) return null
    return input.silent && !(await doesAnswer(context.provider, input.host.vm)) ? null : recorded(context, input)
  },
  async apply(context, { deployment, host, resource, silent }) {
    const owner = `deployment/${deployment}`
    const ownership = { owner, purpose: context.material, resource: JSON.stringify(resource) }
    const disks = await context.provider.listDisks({ owner })
    if (!disks.some(({ id }) => id === host.disk)) {
      await context.provider.createDisk({ id: host.disk, sizeMiB: host.disk_mib, ownership }, context.fence)
    } else if (disks.some(({ id, sizeMiB }) => id === host.disk && sizeMiB < host.disk_mib)) {
      await context.provider.resizeDisk(host.disk, host.disk_mib, context.fence)
    }
    await failpoint('create-host.disk')
    const found = await context.provider.findVm(host.vm)
    const moved = found !== undefined && found.addresses.join() !== host.address
    const mute = silent && found?.state === 'running' && !(await doesAnswer(context.provider, host.vm))
    if (found?.state === 'dead' || moved || mute) await context.provider.deleteVm(host.vm, context.fence)
    const stemcell = await importStemcell(context.provider, context.blobs, { name: 'local', version: '1' })
    const request = {
      id: host.vm,
      stemcell,
      addresses: [host.address],
      network: 'shared',
      resources: {},
      mounts: [postgresMount()],
    } as const
    context.say('creating the machine')
    await context.provider.createVm({ ...request, addresses: [host.address], ownership }, context.fence, context.signal)
    await failpoint('create-host.machine')
    await context.provider.attachDisk(host.vm, host.disk, context.fence)
    await failpoint('create-host.attached')
  },
  async verify(context, input) {
    if (await exists(context, input.host)) return recorded(context, input)
    throw new RemodelError('infrastructure', `the machine ${input.host.vm} is not there right after it was made`)
  },
})

async function exists(context: StepContext, host: { vm: string; disk: string; address: string; disk_mib: number }) {
  const vm = await context.provider.findVm(host.vm)
  if (vm?.state !== 'running' || !vm.disks.includes(host.disk) || vm.addresses.join() !== host.address) return false
  const disk = await context.provider.findDisk(host.disk)
  return disk !== undefined && disk.sizeMiB >= host.disk_mib
}
