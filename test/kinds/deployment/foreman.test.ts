import { expect, test } from 'vitest'
import { type AddressRecord, inputs, type StepName } from '../../../kinds/deployment/inputs.ts'
import { architect } from '../../../kinds/deployment/plan/architect.ts'
import { foremanWith } from '../../../kinds/deployment/plan/foreman.ts'
import type { Render } from '../../../kinds/deployment/rendering.ts'
import { effect } from '../../../kinds/deployment/testing/effect.ts'
import { digestOf } from '../../../shared/model/canonical.ts'
import { type ActualMaterial, type Attributes, emptyFloorplan, type Floorplan } from '../../../shared/model/material.ts'
import type { Plan, Remodel } from '../../../shared/model/plan.ts'
import { describeFault, type RemodelError } from '../../../shared/runtime/errors.ts'
import { execute } from './execution.ts'
import { document, options, plan, render } from './planning.ts'
import { app, cloudText, given, manifestText, older } from './shop.ts'

const first = () => 0

async function deployed(manifest = manifestText, catalog = given()): Promise<Floorplan> {
  const floorplan = emptyFloorplan('shop')
  return execute(await plan(manifest, catalog, floorplan), floorplan, first).floorplan
}

const ids = (of: Plan) => of.remodels.map((remodel) => remodel.id)
const find = (of: Plan, id: string): Remodel =>
  of.remodels.find((remodel) => remodel.id === id) ?? expect.unreachable(`${id} is not in ${ids(of).join(', ')}`)

function changed(
  floorplan: Floorplan,
  id: string,
  change: (material: ActualMaterial) => ActualMaterial | null,
): Floorplan {
  return {
    ...floorplan,
    materials: floorplan.materials.flatMap((material) => (material.id === id ? (change(material) ?? []) : [material])),
  }
}

/** True where `later` comes after `earlier` in every execution. */
function after(of: Plan, later: string, earlier: string): boolean {
  const open = [find(of, later)]
  for (let remodel = open.pop(); remodel; remodel = open.pop()) {
    if (remodel.id === earlier) return true
    open.push(...remodel.needs.map((need) => find(of, need)))
  }
  return false
}

test('a first deploy makes all machines at once, and compiles beside that', async () => {
  const made = await plan(manifestText, given())
  for (const slot of ['db/0', 'web/0', 'web/1', 'web/2']) {
    expect(find(made, `create-vm ${slot}`)).toMatchObject({
      needs: [],
      permit: `create ${slot}`,
      reasons: [{ code: 'instance-new' }],
    })
    expect(after(made, `start-instance ${slot}`, `prepare-instance ${slot}`)).toBe(true)
  }
  const compiles = made.remodels.filter((remodel) => remodel.step === 'compile-package')
  expect(
    compiles.map((remodel) => [(remodel.input as { name: string }).name, remodel.weight, remodel.when, remodel.queue]),
  ).toEqual([
    ['base', 3000, 'independent', 'compile'],
    ['lib', 2000, 'independent', 'compile'],
    ['db', 1000, 'independent', 'compile'],
    ['web', 1000, 'independent', 'compile'],
  ])
  expect(made.windows).toContainEqual({ name: 'compile', limit: 2 })
  expect(after(made, 'start-instance web/0', 'start-instance db/0')).toBe(true)
  expect(after(made, 'start-instance web/1', 'canaries of web are healthy')).toBe(true)
  expect(find(made, 'start-instance web/0').input).toMatchObject({ watch: { minMs: 1000, maxMs: 30000 } })
})

test('every input is what its step reads', async () => {
  const floorplan = await deployed(manifestText, given(cloudText, [older]))
  const changes = manifestText
    .replace('type: fast', 'type: big')
    .replace('1.latest', '1.1')
    .replace('instances: 3', 'instances: 2')
    .replace('  - name: web\n', '  - {name: after, release: app}\n  - name: web\n')
  const cloud = cloudText
    .replace('- {name: large', '- {name: large')
    .replace('disk_types: [', 'disk_types: [{name: big, disk_size: 4096}, ')
  const plans = [
    await plan(manifestText, given()),
    await plan(changes, given(cloud), floorplan),
    await plan(manifestText, given(), floorplan, { remove: true }),
    await plan(manifestText, given(), floorplan, { own: { lifecycle: { what: 'stop', parts: ['web'] } } }),
    await plan(manifestText.replace('- name: db', '- name: store\n  migrated_from: [{name: db}]'), given(), floorplan),
  ]
  const steps = new Set<string>()
  for (const remodel of plans.flatMap((one) => one.remodels)) {
    if (remodel.queue === null) continue
    steps.add(remodel.step)
    expect(inputs[remodel.step as StepName].strict().parse(remodel.input)).toEqual(
      JSON.parse(JSON.stringify(remodel.input)),
    )
    if (remodel.step !== 'publish-addresses') continue
    const { records, table } = remodel.input as { records: AddressRecord[]; table: string }
    expect(table).toBe(digestOf(records))
  }
  expect([...steps].sort()).toEqual(Object.keys(inputs).sort())
})

test('another stemcell swaps what may be swapped, and deletes first where the address is static', async () => {
  const floorplan = await deployed()
  const made = await plan(manifestText.replace('1.latest', '1.1'), given(), floorplan)
  expect(find(made, 'start-instance db/0').reasons).toContainEqual({
    code: 'stemcell-changed',
    before: 'jammy/1.2',
    after: 'jammy/1.1',
  })
  const chain = [
    'stop-instance db/0',
    'delete-vm db/0',
    'create-vm db/0',
    'prepare-instance db/0',
    'attach-disk db/0',
    'start-instance db/0',
  ]
  for (const [at, id] of chain.entries()) {
    expect(find(made, id).permit).toBe('update db/0')
    if (at > 0) expect(find(made, id).needs).toContain(chain[at - 1])
  }
  expect(find(made, 'stop-instance db/0').needs).toContainEqual(expect.stringMatching(/^compile|^packages of db/))
  expect(find(made, 'prepare-instance db/0').input).toMatchObject({
    addresses: (find(made, 'publish-addresses before updates').input as { table: string }).table,
  })
  expect(find(made, 'create-vm web/0')).toMatchObject({ action: 'replace', needs: [], permit: 'create web/0' })
  expect(after(made, 'stop-instance web/0', 'prepare-instance web/0')).toBe(true)
  expect(after(made, 'delete-vm web/0', 'publish-addresses after updates')).toBe(true)
  expect(after(made, 'publish-addresses after updates', 'start-instance web/0')).toBe(true)
  expect(find(made, 'create-vm web/0').changes).toContainEqual({
    path: 'stemcell',
    before: 'jammy/1.2',
    after: 'jammy/1.1',
  })
})

test('a changed property updates its instances where they are, and nothing else', async () => {
  const floorplan = await deployed()
  const made = await plan(manifestText.replace('8080', '9090'), given(), floorplan)
  expect(ids(made).filter((id) => !id.includes('web'))).toEqual([])
  expect(find(made, 'start-instance web/1')).toMatchObject({
    action: 'update',
    reasons: [{ code: 'content-changed', what: 'configuration', name: 'web' }],
  })
  expect(
    made.remodels.filter((remodel) => ['create-vm', 'delete-vm', 'publish-addresses'].includes(remodel.step)),
  ).toEqual([])
})

test('a package that changed is named as the reason', async () => {
  const next = {
    ...app,
    version: '1.11',
    packages: app.packages.map((item) => (item.name === 'web' ? { ...item, fingerprint: 'web-11' } : item)),
  }
  const made = await plan(
    manifestText,
    given(cloudText, [app, next]),
    await deployed(manifestText, given(cloudText, [app])),
  )
  expect(find(made, 'start-instance web/0').reasons).toEqual([
    { code: 'content-changed', what: 'package', name: 'web' },
    { code: 'content-changed', what: 'configuration', name: 'web' },
  ])
  expect(made.remodels.filter((remodel) => remodel.step === 'compile-package')).toHaveLength(1)
})

test('a machine that is gone is made anew with its address and its disk, and is not asked to stop', async () => {
  const before = await deployed()
  const vm = String(before.materials.find((material) => material.id === 'instance/db/0')?.meta.vm)
  const made = await plan(manifestText, given(), before, { healths: { [`vm/${vm}`]: 'missing' } })
  expect(ids(made)).toEqual([
    'delete-vm db/0',
    'create-vm db/0',
    'prepare-instance db/0',
    'attach-disk db/0',
    'start-instance db/0',
  ])
  expect(find(made, 'start-instance db/0').reasons).toEqual([{ code: 'machine-gone' }])
})

test('a machine that does not answer is left alone and said, until something about it changes', async () => {
  const [before, seen] = [await deployed(), { healths: { 'instance/web/1': 'unresponsive' } } as const]
  const same = await plan(manifestText, given(), before, seen)
  expect(ids(same)).toEqual([])
  expect(same.notes).toEqual([expect.stringContaining('web/1 does not answer')])
  const made = await plan(manifestText.replace('8080', '9090'), given(), before, seen)
  expect(ids(made)).not.toContain('stop-instance web/1')
  expect(find(made, 'start-instance web/1').reasons).toEqual([
    { code: 'content-changed', what: 'configuration', name: 'web' },
    { code: 'machine-silent' },
  ])
  expect(after(made, 'create-vm web/1', 'delete-vm web/1')).toBe(true)
})

test('an instance whose processes fail is restarted', async () => {
  const made = await plan(manifestText, given(), await deployed(), { healths: { 'instance/web/2': 'failing' } })
  expect(ids(made)).toEqual(['prepare-instance web/2', 'stop-instance web/2', 'start-instance web/2'])
  expect(find(made, 'start-instance web/2').reasons).toEqual([{ code: 'processes-failing' }])
})

test('a disk grows while its instance is stopped, and never shrinks', async () => {
  const larger = cloudText.replace('disk_size: 1024', 'disk_size: 2048')
  const made = await plan(manifestText, given(larger), await deployed())
  expect(find(made, 'resize-disk db/0')).toMatchObject({
    needs: ['stop-instance db/0'],
    input: { disk: { sizeMiB: 2048 } },
  })
  expect(find(made, 'start-instance db/0')).toMatchObject({ needs: ['resize-disk db/0'] })
  // As BOSH asks for the drain of a machine that loses its disk.
  expect(find(made, 'stop-instance db/0').input).toMatchObject({
    next: { vm: 'keep', instance: 'keep' },
    drain: ['job_shutdown', 'hash_unchanged'],
    disk: { now: 1024, next: 2048 },
  })
  expect(find(made, 'start-instance db/0').reasons).toContainEqual({
    code: 'disk-size-changed',
    beforeMiB: 1024,
    afterMiB: 2048,
  })
  await expect(plan(manifestText, given(), await deployed(manifestText, given(larger)))).rejects.toMatchObject({
    faults: [{ line: 13, message: 'the disk of db/0 cannot become smaller', found: '1024 MiB' }],
  })
})

test('data is only lost by remodels that say so', async () => {
  const made = await plan(manifestText.replace('  persistent_disk_type: fast\n', ''), given(), await deployed())
  expect(made.remodels.filter((remodel) => remodel.destructive).map((remodel) => remodel.id)).toEqual([
    'delete-disk db/0',
  ])
  expect(after(made, 'delete-disk db/0', 'start-instance db/0')).toBe(true)
})

test('what is not wanted any more goes last, after the addresses of the others are known', async () => {
  const made = await plan(
    manifestText.replace('instances: 3', 'instances: 2').replace('8080', '9090'),
    given(),
    await deployed(),
  )
  expect(find(made, 'stop-instance web/2')).toMatchObject({
    reasons: [{ code: 'instance-unwanted' }],
    input: { next: { vm: 'delete' } },
  })
  for (const slot of ['web/0', 'web/1']) expect(after(made, 'stop-instance web/2', `start-instance ${slot}`)).toBe(true)
  expect(after(made, 'stop-instance web/2', 'publish-addresses after updates')).toBe(true)
})

const two = (db: string, web: string) =>
  manifestText
    .replace('[10.0.0.10]', `[${db}]`)
    .replace('azs: [z1, z2]\n  instances: 3', 'azs: [z1]\n  instances: 1')
    .replace('networks: [{name: net}]', `networks: [{name: net, static_ips: [${web}]}]`)

test('two groups may exchange their static addresses: they share one permit', async () => {
  const made = await plan(two('10.0.0.11', '10.0.0.10'), given(), await deployed(two('10.0.0.10', '10.0.0.11')))
  expect(made.permits).toEqual([{ name: 'update db/0', windows: ['update db', 'update web'] }])
  expect(find(made, 'create-vm db/0').needs).toContain('delete-vm web/0')
  expect(find(made, 'create-vm web/0').needs).toContain('delete-vm db/0')
})

test('an address that a removed instance holds is free before the new one is made', async () => {
  const before = await deployed(two('10.0.0.10', '10.0.0.11'))
  const only = two('10.0.0.11', '10.0.0.12').replace(/- name: web[\s\S]*$/, '')
  const made = await plan(only, given(), before)
  expect(find(made, 'create-vm db/0').needs).toContain('delete-vm web/0')
  expect(find(made, 'stop-instance web/0').needs).toEqual([])
})

test('serial groups go one after another, consecutive others together', async () => {
  const group = (name: string, serial: boolean) =>
    `- {name: ${name}, azs: [z1], instances: 1, vm_type: small, stemcell: jammy, networks: [{name: net}], jobs: [], update: {serial: ${serial}}}\n`
  const manifest =
    manifestText.replace(/- name: db[\s\S]*$/, '') +
    group('a', true) +
    group('b', false) +
    group('c', false) +
    group('d', true)
  const made = await plan(manifest, given())
  expect(made.remodels.filter((remodel) => remodel.queue === null).map(({ id, needs }) => [id, needs])).toEqual([
    ['a: all are healthy', ['start-instance a/0']],
    ['b, c: all are healthy', ['start-instance b/0', 'start-instance c/0']],
  ])
  expect(after(made, 'start-instance d/0', 'start-instance b/0')).toBe(true)
  expect(after(made, 'start-instance c/0', 'start-instance b/0')).toBe(false)
})

test('a network that is full is a fault with the counts', async () => {
  const many = manifestText.replace('instances: 3', 'instances: 70')
  const error = await plan(many, given()).then(
    () => expect.unreachable('it fits'),
    (thrown: unknown) => thrown as RemodelError,
  )
  expect(error.faults.map(describeFault)).toContainEqual(
    'shop.yml:22: instance_groups[1]: network "net" has no free address in z1 for 17 instances, the first of which is web/36 (found 10.0.0.0 - 10.0.0.31 has 18 dynamic addresses and 14 reserved or static ones)',
  )
})

test('where there is no second address, an instance is deleted before it is made anew, and the plan says so', async () => {
  const small = cloudText.replace('10.0.1.0/27', '10.0.1.0/30')
  const manifest = manifestText.replace('azs: [z1, z2]\n  instances: 3', 'azs: [z2]\n  instances: 1')
  const made = await plan(manifest.replace('1.latest', '1.1'), given(small), await deployed(manifest, given(small)))
  expect(made.notes).toContainEqual(
    'web/0 is deleted before it is made anew: there is no second address for a hot swap',
  )
  expect(after(made, 'create-vm web/0', 'delete-vm web/0')).toBe(true)
})

test('recreate makes every machine anew, and the options of one plan override the manifest', async () => {
  const made = await plan(manifestText, given(), await deployed(), {
    recreate: true,
    own: { maxInFlight: '50%', canaries: 0 },
    skipDrain: true,
  })
  expect(made.remodels.filter((remodel) => remodel.step === 'create-vm')).toHaveLength(4)
  expect(find(made, 'create-vm web/0').reasons).toContainEqual({ code: 'recreate-asked' })
  expect(made.windows).toContainEqual({ name: 'update web', limit: 1 })
  expect(ids(made).filter((id) => id.startsWith('canaries'))).toEqual([])
  expect(find(made, 'stop-instance db/0').input).toMatchObject({ skipDrain: true })
})

test('what was healthy before is not tried on canaries first, unless they are asked for', async () => {
  const canaries = async (options: Parameters<typeof plan>[3]) =>
    ids(await plan(manifestText, given(), await deployed(), { recreate: true, ...options })).filter((id) =>
      id.startsWith('canaries'),
    )
  expect(await canaries({})).not.toEqual([])
  expect(await canaries({ proven: true })).toEqual([])
  expect(await canaries({ proven: true, own: { canaries: 1 } })).not.toEqual([])
})

test('a removal goes through the groups from the last to the first', async () => {
  const made = await plan(manifestText, given(), await deployed(), { remove: true })
  expect(after(made, 'stop-instance db/0', 'delete-vm web/0')).toBe(true)
  expect(find(made, 'delete-disk db/0').destructive).toBe(true)
})

test('templates are asked for in one call, with links, names and defaults; equal faults are shown once', async () => {
  const blueprint = architect(document('shop.yml', manifestText), given())
  const calls: unknown[] = []
  const recording: Render = async (requests) => {
    calls.push(requests)
    return render(requests)
  }
  await foremanWith(recording)(blueprint, emptyFloorplan('shop'), options)
  expect(calls).toHaveLength(1)
  expect((calls[0] as unknown[])[2]).toEqual({
    job: { name: 'web', digest: 'sha256:job-web', templates: {} },
    place: { file: 'shop.yml', line: 30, path: 'instance_groups[1].jobs[0]' },
    context: {
      properties: { port: 8080, tls: { on: false } },
      links: {
        db: {
          address: 'db.net.shop.remodel',
          properties: { user: { name: 'admin' } },
          instances: [
            { name: 'db', index: 0, id: 'db-0', az: 'z1', bootstrap: true, address: '0.db.net.shop.remodel' },
          ],
        },
      },
      spec: {
        name: 'web',
        index: 1,
        id: 'web-1',
        az: 'z2',
        bootstrap: false,
        deployment: 'shop',
        address: '1.web.net.shop.remodel',
        ip: '10.0.1.2',
        networks: { net: { ip: '10.0.1.2', default: ['dns', 'gateway'], dns_record_name: '1.web.net.shop.remodel' } },
        persistent_disk: 0,
        job: { name: 'web' },
        release: { name: 'app', version: '1.10' },
      },
    },
  })
  const refusing: Render = async (requests) =>
    requests.map(({ job, place }) => ({ fault: { ...place, message: `${job.name} misses secret` } }))
  const refuse = foremanWith(refusing)(blueprint, emptyFloorplan('shop'), options)
  await expect(refuse).rejects.toMatchObject({
    code: 'invalid-input',
    faults: [
      { line: 21, message: 'db misses secret' },
      { line: 30, message: 'web misses secret' },
    ],
  })
})

test('a plan is the same after its blueprint went through JSON', async () => {
  const blueprint = architect(document('shop.yml', manifestText), given())
  const draw = (from: typeof blueprint) => foremanWith(render)(from, emptyFloorplan('shop'), options)
  expect(await draw(JSON.parse(JSON.stringify(blueprint)))).toEqual(await draw(blueprint))
  expect(blueprint.strategy.groups).toHaveLength(2)
})

test('planning again when nothing changed takes time in proportion to the instances', async () => {
  const manifest = (count: number) => manifestText.replace('instances: 3', `instances: ${count}`)
  const cloud = cloudText
    .replace('10.0.1.0/27', '10.32.0.0/12')
    .replace('gateway: 10.0.1.1', 'gateway: 10.32.0.1')
    .replace('10.0.0.0/27', '10.0.0.0/12')
  const measure = async (count: number) => {
    const blueprint = architect(document('shop.yml', manifest(count)), given(cloud))
    const cheap: Render = async (requests) => requests.map(() => ({ digest: 'sha256:same' }))
    const draw = foremanWith(cheap)
    const draft = await draw(blueprint, emptyFloorplan('shop'), options)
    const actual = new Map<string, ActualMaterial>()
    // Machines are not checked against each other here: that alone would be quadratic.
    for (const remodel of draft.remodels) {
      if (remodel.step === 'create-vm')
        actual.set(remodel.material, {
          id: remodel.material,
          attributes: (remodel.input as { vm: Attributes }).vm,
          needs: [],
          meta: {},
        })
      else if (remodel.action !== 'barrier') effect(actual, remodel as Remodel)
    }
    const materials = [...actual.values()]
    const floorplan: Floorplan = { deployment: 'shop', version: 1, materials }
    const times: number[] = []
    for (let round = 0; round < 5; round++) {
      // Of the processor: other processes on a busy machine do not count.
      const began = process.threadCpuUsage()
      expect((await draw(blueprint, floorplan, options)).remodels).toEqual([])
      times.push(process.threadCpuUsage(began).user)
    }
    return Math.min(...times)
  }
  await measure(2_000)
  const [small, large] = [await measure(5_000), await measure(20_000)]
  // A quadratic one would take 16 times as long; what is left is room for the garbage collector.
  expect(large / small).toBeLessThan(9)
})

const orphan = (material: ActualMaterial) => ({ ...material, meta: { ...material.meta, orphan: true } })
const unrecorded = (floorplan: Floorplan, ids: readonly string[]): Floorplan => ({
  ...floorplan,
  materials: floorplan.materials.map((material) => (ids.includes(material.id) ? orphan(material) : material)),
})
/** As the inspector sees it where the instance was never recorded. */
const forgotten = (floorplan: Floorplan, slot: string) => {
  const instance = floorplan.materials.find(({ id }) => id === `instance/${slot}`)!
  const lost = changed(floorplan, instance.id, () => null)
  return { cid: String(instance.meta.vm), floorplan: unrecorded(lost, [`vm/${instance.meta.vm}`, `disk/${slot}`]) }
}

test('a machine and a disk that no record names are taken up by a plan that records them, before the instance that runs on them', async () => {
  const { cid, floorplan } = forgotten(await deployed(), 'db/0')
  const again = await plan(manifestText, given(), floorplan)
  expect(find(again, 'create-vm db/0')).toMatchObject({ material: `vm/${cid}`, input: { cid } })
  expect(find(again, 'create-disk db/0')).toMatchObject({ material: 'disk/db/0', input: { disk: { type: 'fast' } } })
  expect(after(again, 'start-instance db/0', 'create-vm db/0')).toBe(true)
  expect(after(again, 'start-instance db/0', 'create-disk db/0')).toBe(true)
  const { materials } = execute(again, floorplan, first).floorplan
  expect(materials.filter(({ meta }) => meta.orphan)).toEqual([])
  expect((await plan(manifestText, given(), { ...floorplan, materials })).remodels).toEqual([])
})

test('a machine that no record names is recorded though nothing else is to be done', async () => {
  const stands = await deployed()
  const vm = stands.materials.find(({ id }) => id.startsWith('vm/') && id.includes('web-1'))!
  const again = await plan(manifestText, given(), unrecorded(stands, [vm.id, 'disk/db/0']))
  expect(ids(again).sort()).toEqual(['create-disk db/0', 'create-vm web/1'])
  expect(again.reservations?.map(({ material }) => material)).toContain(vm.id)
})

test('what no record names and no instance wants goes, if it is a machine; a disk is kept, recorded and named by every plan', async () => {
  const small = manifestText.replace('- name: db', '- name: other')
  const { cid, floorplan } = forgotten(await deployed(), 'db/0')
  const withdrawn = changed(floorplan, 'instance/db/0', () => null)
  const without = await plan(small, given(), withdrawn)
  expect(find(without, `delete-vm ${cid}`).action).toBe('delete')
  expect(find(without, 'create-disk db/0')).toMatchObject({ input: { kept: true } })
  expect(ids(without)).not.toContain('delete-disk db/0')
  const named = expect.stringMatching(
    /^disk \S+ of db\/0 was found in no record .* kept until the deployment is removed$/,
  )
  expect(without.notes).toContainEqual(named)
  const kept = execute(without, withdrawn, first).floorplan
  const later = await plan(small, given(), kept)
  expect([later.remodels, later.notes]).toEqual([[], [named]])
  expect(ids(await plan(small, given(), kept, { remove: true }))).toContain('delete-disk db/0')
  // Wanted again, it is the disk of its instance, with what is on it.
  const wanted = await plan(manifestText, given(), kept)
  expect(ids(wanted)).not.toContain('create-disk db/0')
  expect(find(wanted, 'attach-disk db/0')).toBeDefined()
})

test('what no record names is taken away with the deployment, also where nothing is recorded at all', async () => {
  const stands = await deployed()
  const all = stands.materials.filter(({ id }) => /^(vm|disk)\//.test(id)).map(orphan)
  const stray = {
    ...all.find(({ id }) => id === 'disk/db/0')!,
    id: 'disk/another',
    meta: { cid: 'another', orphan: true },
  }
  const gone = await plan(
    manifestText,
    given(),
    { ...emptyFloorplan('shop'), materials: [...all, stray] },
    { remove: true },
  )
  const deleted = gone.remodels.filter(({ action }) => action === 'delete').map(({ material }) => material)
  expect(deleted.sort()).toEqual([...all, stray].map(({ id }) => id).sort())
  expect(gone.remodels.filter(({ step }) => step === 'delete-disk').every(({ destructive }) => destructive)).toBe(true)
})
