import { describe, expect, test } from 'vitest'
import { deviations } from '../../../kinds/deployment/plan/deviations.ts'
import type { Lifecycle } from '../../../kinds/deployment/plan/lifecycle.ts'
import { losses } from '../../../kinds/deployment/plan/losses.ts'
import { type Health, health } from '../../../kinds/deployment/plan/observations.ts'
import { emptyFloorplan, type Floorplan } from '../../../shared/model/material.ts'
import { observation } from '../../../shared/model/observation.ts'
import { execute } from './execution.ts'
import { plan } from './planning.ts'
import { given, manifestText } from './shop.ts'

type Asked = Parameters<typeof plan>[3]

async function carriedOut(before: Floorplan, asked: Asked = {}, manifest = manifestText): Promise<Floorplan> {
  return execute(await plan(manifest, given(), before, asked), before, () => 0).floorplan
}

const deployed = () => carriedOut(emptyFloorplan('shop'))
const asks = (what: Lifecycle['what'], ...parts: string[]) => ({ own: { lifecycle: { what, parts } } })
const ids = async (...args: Parameters<typeof plan>) => (await plan(...args)).remodels.map(({ id }) => id)
const instance = ({ materials }: Floorplan, name: string) => materials.find(({ id }) => id === `instance/${name}`)!
const changed = manifestText.replace('8080', '9090')

describe('an instance that is stopped', () => {
  test('is stopped on its machine, and no other one is touched', async () => {
    const before = await deployed()
    const made = await plan(manifestText, given(), before, asks('stop', 'web/1'))
    expect(made.remodels.map(({ id }) => id)).toEqual(['stop-instance web/1', 'record-instance web/1'])
    expect(made.remodels[0]).toMatchObject({
      input: { next: { vm: 'keep', instance: 'keep', deployment: 'keep' }, drain: ['job_shutdown', 'hash_unchanged'] },
      reasons: [{ code: 'asked', what: 'stop' }],
    })
    const after = await carriedOut(before, asks('stop', 'web/1'))
    expect(instance(after, 'web/1')).toMatchObject({
      attributes: { ...instance(before, 'web/1').attributes, state: 'stopped', intents: ['stopped'] },
      meta: instance(before, 'web/1').meta,
    })
  })

  test('stays stopped, and as it is, through deploys that change its group, which say so', async () => {
    const stopped = await carriedOut(await deployed(), asks('stop', 'web/1'))
    const none = await plan(manifestText, given(), stopped)
    expect(none.remodels).toEqual([])
    expect(none.notes).toContain('web/1 is stopped: it is left as it is')
    const made = await ids(changed, given(), stopped)
    expect(made).toEqual(expect.arrayContaining(['start-instance web/0', 'start-instance web/2']))
    expect(made.filter((id) => id.endsWith('web/1'))).toEqual([])
    expect(await ids(manifestText, given(), stopped, { recreate: true })).not.toContain('delete-vm web/1')
  })

  test('is started with what has changed meanwhile', async () => {
    const stopped = await carriedOut(await deployed(), asks('stop', 'web/1'))
    const later = await carriedOut(stopped, {}, changed)
    const made = await ids(changed, given(), stopped, asks('start'))
    expect(made, 'what runs is left to the next deploy').toEqual([
      ...['prepare-instance web/1', 'stop-instance web/1', 'start-instance web/1'],
    ])
    const started = await carriedOut(later, asks('start'), changed)
    expect(instance(started, 'web/1').attributes).not.toHaveProperty('intents')
    expect(instance(started, 'web/1').attributes).toMatchObject({ state: 'started' })
    expect(await ids(changed, given(), started)).toEqual([])
  })

  test.each<Health>(['missing', 'unresponsive', 'failing'])(
    'deviates in nothing and is not mended while it is %s',
    async (state) => {
      const { materials } = await carriedOut(await deployed(), asks('stop', 'web/1'))
      const vm = String(materials.find(({ id }) => id === 'instance/web/1')!.meta.vm)
      const healths = { 'instance/web/1': state, [`vm/${vm}`]: state }
      const observations = Object.entries(healths).map(([id, seen]) =>
        observation(health, id, seen, { at: 1, observer: 'a' }),
      )
      expect(deviations({ materials, observations })).toEqual([])
      expect(losses({ materials, observations })).toEqual([])
      expect(
        await ids(
          manifestText,
          given(),
          { ...emptyFloorplan('shop'), materials },
          { healths, repairs: ['instance/web/1'] },
        ),
      ).toEqual([])
      const made = await ids(
        manifestText,
        given(),
        { ...emptyFloorplan('shop'), materials },
        { healths, ...asks('start') },
      )
      expect(made.includes('create-vm web/1')).toBe(state !== 'failing')
    },
  )

  test('of which a process runs all the same is stopped again, and only then', async () => {
    const stopped = await carriedOut(await deployed(), asks('stop', 'web/1'))
    const healths = { 'instance/web/1': 'failing' } as const
    expect(await ids(manifestText, given(), stopped, { healths, ...asks('stop', 'web/1') })).toEqual([
      ...['stop-instance web/1', 'record-instance web/1'],
    ])
    expect(await ids(manifestText, given(), stopped, asks('stop', 'web/1'))).toEqual([])
    expect(await ids(manifestText, given(), stopped, { healths })).toEqual([])
  })

  test('is not where post-deploy scripts run, and they do not run for its stop', async () => {
    const after = manifestText.replace('  - name: web\n', '  - {name: after, release: app}\n  - name: web\n')
    const before = await carriedOut(emptyFloorplan('shop'), {}, after)
    expect(await ids(after, given(), before, asks('stop', 'web/1'))).not.toContain('run-post-deploy shop')
    const stopped = await carriedOut(before, asks('stop', 'web/1'), after)
    expect(await ids(after, given(), stopped)).toEqual([])
    const { remodels } = await plan(after, given(), stopped, asks('restart', 'web/0'))
    const ran = remodels.find(({ id }) => id === 'run-post-deploy shop')
    expect(ran?.input).toMatchObject({ machines: [{ instance: 'web/0' }, { instance: 'web/2' }] })
  })

  test('goes with its group', async () => {
    const stopped = await carriedOut(await deployed(), asks('stop', 'web'))
    const made = await ids(manifestText.replace('instances: 3', 'instances: 1'), given(), stopped)
    expect(made.filter((id) => id.startsWith('delete-vm')).toSorted()).toEqual(['delete-vm web/1', 'delete-vm web/2'])
  })
})

describe('an instance that is ignored', () => {
  test('is touched by no plan until it is ignored no more', async () => {
    const before = await deployed()
    expect(await ids(manifestText, given(), before, asks('ignore', 'web/1'))).toEqual(['record-instance web/1'])
    const ignored = await carriedOut(before, asks('ignore', 'web/1'))
    for (const asked of [asks('stop', 'web/1'), asks('restart', 'web/1'), asks('recreate', 'web/1')]) {
      const { remodels, notes } = await plan(manifestText, given(), ignored, asked)
      expect(remodels).toEqual([])
      expect(notes).toEqual(['web/1 is ignored: it is left as it is'])
    }
    expect((await ids(changed, given(), ignored)).filter((id) => id.endsWith('web/1'))).toEqual([])
    const again = await carriedOut(ignored, asks('unignore', 'web/1'))
    expect(again).toEqual({ ...before, version: again.version, materials: expect.arrayContaining(before.materials) })
    expect(await ids(changed, given(), again)).toContain('start-instance web/1')
  })

  test('is not deleted: neither with its place in the group nor with the deployment', async () => {
    const ignored = await carriedOut(await deployed(), asks('ignore', 'web/2'))
    const smaller = manifestText.replace('instances: 3', 'instances: 1')
    await expect(plan(smaller, given(), ignored)).rejects.toMatchObject({
      code: 'conflict',
      message: /web\/2 is ignored/,
    })
    await expect(plan(smaller, given(), ignored, { remove: true })).rejects.toMatchObject({ code: 'conflict' })
  })
})

describe('what is asked of instances', () => {
  test('a restart stops and starts them, group by group, at the pace of their group', async () => {
    const before = await deployed()
    const made = await plan(manifestText, given(), before, asks('restart'))
    const touched = made.remodels.filter(({ step }) => step === 'stop-instance' || step === 'start-instance')
    expect(touched.map(({ id }) => id)).toHaveLength(8)
    expect(made.windows).toContainEqual({ name: 'update web', limit: 1 })
    expect(touched.every(({ reasons }) => JSON.stringify(reasons) === '[{"code":"asked","what":"restart"}]')).toBe(true)
    expect(made.remodels.some(({ step }) => step === 'create-vm' || step === 'delete-vm')).toBe(false)
  })

  test('one is made anew with its disk', async () => {
    const made = await ids(manifestText, given(), await deployed(), asks('recreate', 'db'))
    expect(made).toEqual(
      expect.arrayContaining(['stop-instance db/0', 'delete-vm db/0', 'create-vm db/0', 'attach-disk db/0']),
    )
    expect(made.filter((id) => id.includes('web') || id.startsWith('delete-disk'))).toEqual([])
  })

  test('nothing else is done of what a deploy would do', async () => {
    const before = await deployed()
    for (const instances of [2, 4]) {
      const other = changed.replace('instances: 3', `instances: ${instances}`)
      const made = await ids(other, given(), before, asks('restart', 'web/1'))
      expect(made).toContain('start-instance web/1')
      expect(made.filter((id) => !id.endsWith('web/1'))).toEqual([])
    }
    const disk = before.materials.filter(({ id }) => id !== 'instance/db/0')
    expect(await ids(manifestText, given(), { ...before, materials: disk }, asks('stop', 'web/0'))).toEqual([
      'stop-instance web/0',
      'record-instance web/0',
    ])
  })

  test('an address of one that is left as it is goes to no other', async () => {
    const ignored = await carriedOut(await deployed(), asks('ignore', 'db'))
    const moved = manifestText
      .replace('static_ips: [10.0.0.10]', 'static_ips: [10.0.0.11]')
      .replace('azs: [z1, z2]\n  instances: 3', 'azs: [z1]\n  instances: 1')
      .replace('  networks: [{name: net}]\n  update', '  networks: [{name: net, static_ips: [10.0.0.10]}]\n  update')
    await expect(plan(moved, given(), ignored)).rejects.toMatchObject({
      faults: [{ message: expect.stringMatching(/10\.0\.0\.10: db\/0 has it/) }],
    })
  })

  test('a part that there is not is named, with what is meant perhaps', async () => {
    const before = await deployed()
    await expect(plan(manifestText, given(), before, asks('stop', 'web/7'))).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/no group web\/7; did you mean web\/[0-2]\?/),
    })
  })
})
