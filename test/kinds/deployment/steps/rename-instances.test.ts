import { expect, test } from 'vitest'
import renameInstances from '../../../../kinds/deployment/steps/rename-instances.ts'
import type { ActualMaterial } from '../../../../shared/model/material.ts'
import { attempt } from './attempt.ts'

const disk: ActualMaterial = {
  ...{ id: 'disk/web/0', attributes: { sizeMiB: 64 }, needs: [], meta: { cid: 'disk-1' } },
}
const actual = (materials: ActualMaterial[]) => async (id: string) =>
  materials.find((material) => material.id === id) ?? null
const moves = [{ from: 'disk/web/0', to: 'disk/shop/0' }]

test('a disk that is recorded under another name keeps what is known of it, and loses the old name', async () => {
  const { id: _, ...known } = disk
  expect(await attempt(renameInstances, { actual: actual([disk]) }, { moves })).toEqual({
    floorplan: { 'disk/shop/0': known, 'disk/web/0': null },
  })
})

test('an attempt behind one that has recorded the new name leaves it as it is', async () => {
  const renamed = actual([{ ...disk, id: 'disk/shop/0' }])
  expect(await attempt(renameInstances, { actual: renamed }, { moves })).toEqual({ floorplan: {} })
})
