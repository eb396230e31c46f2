import { expect, test } from 'vitest'
import { instances } from '../../../kinds/deployment/plan/instances.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'

const material = (id: string, attributes = {}, meta = {}): ActualMaterial => ({ id, attributes, needs: [], meta })
const machine = (cid: string, purpose: string) =>
  material(`vm/${cid}`, { purpose, az: 'z1', stemcell: 'local/1', networks: [{ address: '10.0.0.9' }] })
const web = (index: number, vm: string) =>
  material(`instance/web/${index}`, { az: 'z2', state: 'started', networks: [{ address: '10.0.0.8' }] }, { vm })

test('an instance is shown with its machine, the stemcell of that, its addresses and its disk', () => {
  const disk = material('disk/web/0', {}, { cid: 'disk-7' })
  expect(instances([web(0, 'vm-1'), machine('vm-1', 'instance/web/0'), disk])).toEqual([
    {
      material: expect.objectContaining({ id: 'instance/web/0' }),
      instance: 'web/0',
      az: 'z2',
      addresses: ['10.0.0.8'],
      vm: 'vm-1',
      stemcell: 'local/1',
      disk: 'disk-7',
      stopped: false,
    },
  ])
})

test('an instance that no deploy has brought up is shown by the first machine that was made for it', () => {
  const found = instances([machine('vm-3', 'instance/web/1'), machine('vm-2', 'instance/web/1')])
  expect(found).toMatchObject([{ instance: 'web/1', vm: 'vm-2', az: 'z1', addresses: ['10.0.0.9'], stopped: false }])
})

test('a machine that an instance of another name runs on is no instance of its own', () => {
  const found = instances([web(0, 'vm-1'), machine('vm-1', 'instance/app/0')])
  expect(found.map(({ instance }) => instance)).toEqual(['web/0'])
})

test('an instance without a machine, and one that was stopped by request, are shown as such', () => {
  const gone = material('instance/web/0', { az: null, state: 'stopped', networks: [] })
  expect(instances([gone])).toMatchObject([{ vm: null, stemcell: null, disk: null, stopped: true }])
})
