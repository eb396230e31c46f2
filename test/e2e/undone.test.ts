import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../../shared/api/client.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import { layout } from '../../shared/provider/layout.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { deploySmall, planSmall, removeSmall, type SmallOptions, uploadSmall } from '../support/small.ts'

/**
 * The world is changed behind the back of each step of the kind `deployment`, and the verdict
 * after its plan must say so.
 */

let stack: TestStack
let client: Client
const base: SmallOptions = { name: 'undone', net: 65, disk: 16 }
const generous = { timeout: 50_000, interval: 200 }

beforeAll(async () => {
  stack = await startServices()
  client = stack.client()
  await uploadSmall(client)
}, 240_000)
afterAll(() => stack.stop())

interface Place {
  provider: Provider
  /** The machine and the disk of app/0. */
  vm: string
  disk: string
}

interface Undoing {
  undo(place: Place): Promise<unknown>
  says: string
  /** The next deploy does not mend it by itself. */
  recreate?: true
}

const onMachine = async ({ provider, vm }: Place, work: (connection: Connection) => Promise<unknown>) => {
  const connection = await provider.connect(vm, null)
  try {
    await work(connection)
  } finally {
    connection.close()
  }
}
/** Of no plan: whatever changes the world like this shows none that machines know. */
const fence = { scope: 'behind/its-back', number: 1 }
const owner = `deployment/${base.name}`

/** What each step does, undone. All of it stands when app/0 is started, while its plan goes on with app/1. */
const undone: Record<string, Undoing> = {
  'create-vm': {
    undo: ({ provider, vm }) => provider.deleteVm(vm, null),
    says: 'instance/app/0 is gone',
  },
  'create-disk': {
    async undo({ provider, vm, disk }) {
      await provider.detachDisk(vm, disk, fence)
      await provider.deleteDisk(disk, fence)
    },
    says: 'disk/app/0 is gone',
  },
  'attach-disk': {
    undo: ({ provider, vm, disk }) => provider.detachDisk(vm, disk, fence),
    says: 'disk/app/0 is not attached to its machine',
    recreate: true,
  },
  'prepare-instance': {
    undo: (place) =>
      onMachine(place, (machine) => machine.exec(['/bin/sh', '-c', `rm -r ${layout.data}/packages/app`])),
    says: 'instance/app/0 does not have package app as it was deployed',
  },
  'start-instance': {
    undo: (place) => onMachine(place, (machine) => machine.supervise([])),
    says: 'instance/app/0 does not look after process app',
  },
  'publish-addresses': {
    undo: (place) => onMachine(place, (machine) => machine.write('/etc/hosts', '127.0.0.1 localhost\n')),
    says: 'instance/app/0 does not have the addresses that were published',
    recreate: true,
  },
  'delete-vm': {
    async undo({ provider, vm }) {
      const { stemcell } = (await provider.findVm(vm))!
      const request = { id: 'vm-undone-again', stemcell, addresses: [], network: 'none' as const, resources: {} }
      await provider.createVm({ ...request, ownership: { owner, purpose: 'instance/app/7' } }, fence)
    },
    says: 'vm/vm-undone-again is there, but no deploy has recorded it',
  },
  'delete-disk': {
    undo: ({ provider }) =>
      provider.createDisk({ id: 'disk-undone-again', sizeMiB: 16, ownership: { owner, purpose: 'disk/app/7' } }, fence),
    says: 'disk/app/7 is there, but no deploy has recorded it',
  },
  // The last: a disk becomes no smaller again.
  'resize-disk': {
    undo: ({ provider, disk }) => provider.resizeDisk(disk, 20, fence),
    says: 'disk/app/0 has 20 MiB instead of 16',
  },
}

/** What a later step of every plan does over again. */
const replaced = { 'stop-instance': ['start-instance', 'delete-vm'] }
/** What scripts of jobs do, only they know. */
const scripts = ['run-post-deploy']
/** These change the record and nothing that could be undone. */
const records = ['record-instance', 'rename-instances']

/** More of what `prepare-instance` does, undone when its plan is over. */
const files: [what: string, script: string, says: string][] = [
  ['a file of a job, changed', `echo x >> ${layout.jobs}/app/bin/ctl`, 'job app as it was deployed: bin/ctl'],
  ['a file of a package, gone', `rm ${layout.packages}/app/share/app`, 'package app as it was deployed: share/app'],
]

const named = async () =>
  (await client.verdict('undone', 0)).deviations.map(({ material, what }) => `${material} ${what}`)

async function placeOfFirst(): Promise<Place> {
  const { vm } = (await client.instances('undone')).find(({ instance }) => instance === 'app/0')!
  const disks = await stack.provider.listDisks({ owner })
  return { provider: stack.provider, vm: vm!, disk: disks.find((one) => one.vm === vm)!.id }
}

describe('the verdict after a plan says what was undone behind the back of', () => {
  test('nothing, where nothing was', async () => {
    expect((await deploySmall(client, base)).ended).toBe('done')
    await expect.poll(named, generous).toEqual([])
  }, 600_000)

  test.each(files)(
    'prepare-instance: %s',
    async (_, script, says) => {
      await onMachine(await placeOfFirst(), (machine) => machine.exec(['/bin/sh', '-c', script]))
      await expect.poll(named, generous).toEqual([`instance/app/0 does not have ${says}`])
      const anew = await planSmall(client, { ...base, recreate: true })
      await client.apply(anew.plan.id, {})
      expect(await settled(client, anew.plan.id, 200_000)).toBe('done')
      await expect.poll(named, generous).toEqual([])
    },
    600_000,
  )

  test.each(Object.entries(undone))(
    '%s',
    async (step, { undo, says, recreate }) => {
      const { plan } = await planSmall(client, { ...base, greeting: `before ${step}` })
      await client.apply(plan.id, {})
      const first = async () =>
        (await client.planView(plan.id)).remodels.find(({ id }) => id.startsWith('start-instance app/0'))?.state
      await expect.poll(first, generous).toBe('done')
      await undo(await placeOfFirst())
      expect(await settled(client, plan.id, 200_000)).toBe('done')
      await expect.poll(named, generous).toContain(says)
      if (!recreate) return
      const anew = await planSmall(client, { ...base, recreate })
      await client.apply(anew.plan.id, {})
      expect(await settled(client, anew.plan.id, 200_000)).toBe('done')
      await expect.poll(named, generous).toEqual([])
    },
    600_000,
  )

  test('every step that there is, or the step is followed by one that does it over again', async () => {
    const steps = readdirSync(new URL('../../kinds/deployment/steps', import.meta.url))
    const known = [...Object.keys(undone), ...Object.keys(replaced), ...scripts, ...records].sort()
    expect(steps.map((file) => file.replace('.ts', '')).sort()).toEqual(known)
    const plans = [
      await planSmall(client, { ...base, greeting: 'another' }),
      await planSmall(client, { ...base, instances: 1 }),
      await planSmall(client, { ...base, recreate: true }),
      await client.planRemoval('undone'),
    ]
    for (const { plan } of plans) {
      const of = (name: string) => plan.remodels.filter(({ step }) => step === name)
      for (const [name, later] of Object.entries(replaced)) {
        expect(of(name).length).toBeGreaterThan(0)
        expect(later.reduce((sum, one) => sum + of(one).length, 0)).toBeGreaterThanOrEqual(of(name).length)
      }
    }
    expect(await removeSmall(client, 'undone')).toBe('done')
  }, 600_000)
})
