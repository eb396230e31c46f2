import { type ActualMaterial, materialType } from '../../../shared/model/material.ts'
import type { Remodel } from '../../../shared/model/plan.ts'
import type { StepInput, StepName } from '../inputs.ts'

/**
 * What a finished step changes in the floorplan, as kinds/deployment/inputs.ts documents it; checks what
 * the world would refuse.
 */
export function effect(actual: Map<string, ActualMaterial>, remodel: Remodel): void {
  const put = (id: string, attributes: object, meta: object) =>
    actual.set(id, { id, attributes: { ...attributes }, needs: [], meta: { ...meta } } as ActualMaterial)
  const given = <Step extends StepName>(_: Step) => remodel.input as unknown as StepInput<Step>
  const vmStands = (cid: string) => {
    if (!actual.has(`vm/${cid}`)) throw new Error(`${remodel.id}: there is no machine ${cid}`)
  }
  switch (remodel.step as StepName) {
    case 'compile-package': {
      const { key, name, dependencies } = given('compile-package')
      for (const need of dependencies) {
        if (!actual.has(`package/${need.name}/${need.key.slice(0, 12)}`))
          throw new Error(`${remodel.id}: ${need.name} is not compiled`)
      }
      put(`package/${name}/${key.slice(0, 12)}`, { key, name }, {})
      return
    }
    case 'create-vm': {
      const { cid, vm } = given('create-vm')
      for (const [id, other] of actual) {
        if (materialType(id) !== 'vm' || id === `vm/${cid}`) continue
        const theirs = (other.attributes.networks as { address: string }[]).map((network) => network.address)
        const clash = vm.networks.find((network) => theirs.includes(network.address))
        if (clash) throw new Error(`${remodel.id}: ${clash.address} is held by ${id}`)
      }
      put(`vm/${cid}`, vm, {})
      return
    }
    case 'delete-vm': {
      const { cid, forget } = given('delete-vm')
      for (const id of [`vm/${cid}`, ...forget]) actual.delete(id)
      return
    }
    case 'create-disk': {
      const { cid, disk, kept } = given('create-disk')
      put(remodel.material, disk, { cid, ...(kept ? { kept } : {}) })
      return
    }
    case 'resize-disk':
      put(remodel.material, given('resize-disk').disk, actual.get(remodel.material)?.meta ?? {})
      return
    case 'delete-disk':
      actual.delete(remodel.material)
      return
    case 'attach-disk': {
      const { vm, disk } = given('attach-disk')
      vmStands(vm)
      if (actual.get(remodel.material)?.meta.cid !== disk) throw new Error(`${remodel.id}: there is no disk ${disk}`)
      return
    }
    case 'prepare-instance': {
      const { vm, packages } = given('prepare-instance')
      vmStands(vm)
      for (const { name, key } of packages) {
        if (!actual.has(`package/${name}/${key.slice(0, 12)}`))
          throw new Error(`${remodel.id}: ${name} is not compiled`)
      }
      return
    }
    case 'stop-instance': {
      const { vm, attributes } = given('stop-instance')
      vmStands(vm)
      put(remodel.material, attributes, { vm })
      return
    }
    case 'record-instance': {
      const { vm, attributes } = given('record-instance')
      put(remodel.material, attributes, vm === null ? {} : { vm })
      return
    }
    case 'start-instance': {
      const { vm, attributes, voids = [] } = given('start-instance')
      vmStands(vm)
      for (const id of voids) actual.delete(id)
      put(remodel.material, attributes, { vm })
      return
    }
    case 'rename-instances': {
      for (const { from, to } of given('rename-instances').moves) {
        const one = actual.get(from)
        if (!one || actual.has(to)) throw new Error(`${remodel.id}: ${from} cannot become ${to}`)
        actual.delete(from)
        actual.set(to, { ...one, id: to })
      }
      return
    }
    case 'run-post-deploy': {
      const { machines, of } = given('run-post-deploy')
      for (const { instance, vm } of machines) {
        vmStands(vm)
        if (actual.get(`instance/${instance}`)?.attributes.state !== 'started')
          throw new Error(`${remodel.id}: ${instance} is not started`)
      }
      if (machines.length === 0) actual.delete(remodel.material)
      else put(remodel.material, { of }, {})
      return
    }
    case 'publish-addresses': {
      const { deployment, records, table, vms } = given('publish-addresses')
      for (const vm of vms) vmStands(vm)
      if (records.length === 0) actual.delete(`addresses/${deployment}`)
      else put(`addresses/${deployment}`, { table }, {})
      return
    }
    default:
      if (remodel.queue !== null) throw new Error(`${remodel.id}: unknown step`)
  }
}
