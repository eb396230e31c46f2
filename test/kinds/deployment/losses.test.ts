import { expect, test } from 'vitest'
import { losses } from '../../../kinds/deployment/plan/losses.ts'
import { type Health, health } from '../../../kinds/deployment/plan/observations.ts'
import { type ActualMaterial, emptyFloorplan, type Floorplan } from '../../../shared/model/material.ts'
import { observation } from '../../../shared/model/observation.ts'
import { execute } from './execution.ts'
import { plan } from './planning.ts'
import { given, manifestText } from './shop.ts'

async function deployed(): Promise<Floorplan> {
  const floorplan = emptyFloorplan('shop')
  return execute(await plan(manifestText, given(), floorplan), floorplan, () => 0).floorplan
}

const seen = (states: Record<string, Health>) =>
  Object.entries(states).map(([id, state]) => observation(health, id, state, { at: 1, observer: 'planner-1' }))

const instance = (name: string, meta: ActualMaterial['meta']): ActualMaterial => ({
  ...{ id: `instance/${name}`, attributes: {}, needs: [] },
  meta,
})

test('lost are instances whose machine is gone or silent; what fails is left to its agent, and what is unrecorded to a deploy', () => {
  const materials = [
    instance('web/0', { vm: 'vm-0' }),
    instance('web/1', { vm: 'vm-1' }),
    instance('web/2', { vm: 'vm-2' }),
    instance('web/3', { vm: 'vm-3' }),
    instance('web/4', { vm: 'vm-4', orphan: true }),
    { id: 'vm/vm-0', attributes: {}, needs: [], meta: {} },
  ]
  const observations = seen({
    ...{ 'instance/web/0': 'missing', 'instance/web/1': 'unresponsive', 'instance/web/2': 'failing' },
    ...{ 'instance/web/4': 'missing', 'vm/vm-0': 'missing' },
  })
  expect(losses({ materials, observations })).toEqual([
    { subject: 'instance/web/0', machine: 'vm-0', is: 'gone' },
    { subject: 'instance/web/1', machine: 'vm-1', is: 'silent' },
  ])
})

test('a repair makes a machine anew that does not answer, and only that', async () => {
  const before = await deployed()
  const healths = { 'instance/web/1': 'unresponsive' } as const
  expect((await plan(manifestText, given(), before, { healths })).remodels).toEqual([])
  const made = await plan(manifestText, given(), before, { healths, repairs: ['instance/web/1'] })
  const subjects = new Set(made.remodels.filter(({ step }) => step === 'create-vm').map(({ id }) => id))
  expect([...subjects]).toEqual(['create-vm web/1'])
  const start = made.remodels.find(({ id }) => id === 'start-instance web/1')
  expect(start?.reasons).toEqual([{ code: 'machine-silent' }])
  expect(made.remodels.map(({ id }) => id)).not.toContain('stop-instance web/1')
})

test('a repair touches nothing else, and nothing of the rest that is lost', async () => {
  const before = await deployed()
  const vms = new Map(before.materials.map(({ id, meta }) => [id, `vm/${meta.vm}`]))
  const gone = ['instance/web/0', 'instance/web/1', 'instance/db/0']
  const healths = Object.fromEntries(gone.flatMap((id) => [id, vms.get(id)!]).map((id) => [id, 'missing' as const]))
  const changed = manifestText
    .replace('instances: 3', 'instances: 2')
    .replace('  - name: web\n', '  - {name: after, release: app}\n  - name: web\n')
  const made = await plan(changed, given(), before, { healths, repairs: ['instance/web/1'] })
  const steps = made.remodels.filter(({ queue }) => queue !== null).map(({ id }) => id)
  expect(steps).toContain('start-instance web/1')
  expect(steps.filter((id) => / (web|db)\/[0-9]/.test(id) && !id.endsWith('web/1'))).toEqual([])
  const scripts = made.remodels.find(({ step }) => step === 'run-post-deploy')
  expect(scripts?.input, 'scripts run where a machine is').toMatchObject({ machines: [{ instance: 'web/1' }] })
})

test('a repair puts no empty disk in the place of one that is gone', async () => {
  const healths = { 'instance/db/0': 'missing', 'disk/db/0': 'missing' } as const
  await expect(
    plan(manifestText, given(), await deployed(), { healths, repairs: ['instance/db/0'] }),
  ).rejects.toMatchObject({
    faults: [{ message: expect.stringMatching(/disk of db\/0 is gone/) }],
  })
})
