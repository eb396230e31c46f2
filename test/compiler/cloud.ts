import { setTimeout as sleep } from 'node:timers/promises'
import { owned } from '../../shared/provider/ownership.ts'
import type { Ownership, Provider, Vm } from '../../shared/provider/provider.ts'

/**
 * A cloud whose machines cost nothing, so that ten thousand races take seconds. Answers come late, as those of a real
 * one: a list tells what stood when it was drawn.
 */
export function cheapCloud(): Provider {
  const vms = new Map<string, Vm>()
  const late = () => sleep(Math.random() * 4)
  const unused = () => Promise.reject(new Error('races need no disks and no connections'))
  return {
    name: 'cheap',
    check: async () => {},
    importStemcell: async ({ name, version }) => `${name}/${version}`,
    async createVm({ id, stemcell, addresses, ownership }) {
      await late()
      const vm: Vm = { id, state: 'running', stemcell, addresses, ownership, disks: [], createdAt: 0 }
      vms.set(id, vm)
      await late()
      return vm
    },
    async deleteVm(id) {
      await late()
      vms.delete(id)
    },
    findVm: async (id) => vms.get(id),
    async listVms(filter: Partial<Ownership> = {}) {
      const listed = [...vms.values()].filter((vm) => owned(vm.ownership, filter))
      await late()
      return listed
    },
    createDisk: unused,
    deleteDisk: unused,
    resizeDisk: unused,
    findDisk: unused,
    listDisks: unused,
    attachDisk: unused,
    detachDisk: unused,
    fenceOff: async () => [],
    connect: unused,
  }
}
