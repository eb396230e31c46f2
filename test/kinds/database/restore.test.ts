import { describe, expect, test } from 'vitest'
import { inputs, type StepName } from '../../../kinds/database/inputs.ts'
import { archiveObservation } from '../../../kinds/database/plan/archived.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import type { Observation } from '../../../shared/model/observation.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { codeOfReason } from '../../../shared/model/reason.ts'
import { builtBy } from './built.ts'
import type { Wish } from './document.ts'
import { planOf } from './planned.ts'

const wish: Wish = { net: 80, nodes: { n1: 'ab', n2: 'cd' }, keep: 3 }

/** What the inspector finds of a node's archive: a backup of hour `from` that is good until hour `until`. */
function archived(node: string, ...hours: [line: string, from: number, until: number][]): Observation {
  const time = (hour: number) => Date.UTC(2026, 0, 1, hour)
  const backups = hours.map(([line, from, until]) => ({
    ...{ id: `${node}-${from}`, node, line, from: time(from), until: time(until), stop: '0/3000100', nextXid: '700' },
    ...{ dataBytes: 1, bytes: 1, logBytes: 1 },
  }))
  const line = hours.at(-1)?.[0] ?? null
  const seen = { deployment: 'shop', node, line, now: time(20), nextXid: null, end: null, backups }
  return archiveObservation(seen, { at: time(20), observer: 'planner-1' })
}

const archives = [archived('n1', ['a', 2, 8], ['b', 10, 12]), archived('n2', ['c', 3, 12])]
const at = (hour: number, more: object = {}) => ({
  restore_options: { type: 'time', target: `2026-01-01T${String(hour).padStart(2, '0')}:00:00Z` },
  ...more,
})
const steps = ({ remodels }: Plan, step: string) => remodels.filter((remodel) => remodel.step === step)
const restoresIn = (plan: Plan) =>
  steps(plan, 'set-up-instance').flatMap(({ material, input }) => {
    const { restore, role } = inputs['set-up-instance'].parse(input)
    return restore ? [[material, role, restore.node, restore.backup]] : []
  })
const actual = async () => builtBy(await planOf(wish))

describe('a document that is archived', () => {
  test('takes the first backup of each node that has none which goes with its log, behind everything else', async () => {
    const first = await planOf(wish)
    expect(steps(first, 'back-up-node').map(({ material }) => material)).toEqual(['archive/n1', 'archive/n2'])
    expect(first.remodels.at(-1)?.step).toBe('back-up-node')
    expect((await planOf(wish, await actual(), archives)).remodels).toEqual([])
    const other = [archived('n1', ['a', 2, 8]), archived('n2')]
    const missing = await planOf(wish, await actual(), other)
    expect(missing.remodels.map(({ id }) => id)).toEqual(['back-up-node archive/n2'])
  })
})

describe('a document that restores', () => {
  test('a database: all nodes get the data of one, what is needed is looked for first and backups are taken last', async () => {
    const plan = await planOf({ ...wish, restore: { all: at(5) } }, await actual(), archives)
    expect(restoresIn(plan)).toEqual([
      ['instance/n1-a', 'restore', 'n1', 'n1-2'],
      ['instance/n2-c', 'restore', 'n1', 'n1-2'],
    ])
    expect(plan.remodels[0]?.step).toBe('prepare-restore')
    const first = plan.remodels.filter(({ needs }) => needs.length === 0)
    expect(first.map(({ title }) => title).sort()).toEqual([
      expect.stringMatching(/^archive n1 up to now and check backup n1-/),
      'archive n2 up to now',
    ])
    const taken = plan.remodels.filter(({ action }) => action === 'delete')
    expect(new Set(taken.flatMap(({ reasons }) => reasons.map(codeOfReason)))).toEqual(new Set(['made-anew']))
    const asides = steps(plan, 'remove-instance').map(({ material, input }) => [
      material,
      inputs['remove-instance'].parse(input).aside,
    ])
    expect(Object.fromEntries(asides)).toEqual({
      'instance/n1-a': true,
      'instance/n1-b': false,
      'instance/n2-c': true,
      'instance/n2-d': false,
    })
    expect(steps(plan, 'delete-host'), 'machines stay').toEqual([])
    expect(plan.remodels.slice(-2).map(({ step }) => step)).toEqual(['back-up-node', 'back-up-node'])
    for (const { step, input } of plan.remodels.filter(({ step }) => step !== 'barrier')) {
      inputs[step as StepName].parse(input)
    }
  })

  test('takes the newest backup before the target, of whichever line reaches it; up to now where the server still writes', async () => {
    const whole = await actual()
    const backupFor = async (hour: number) =>
      restoresIn(await planOf({ ...wish, restore: { n1: at(hour) } }, whole, archives)).map(([, , , backup]) => backup)
    expect(await backupFor(7)).toEqual(['n1-2'])
    expect(await backupFor(11)).toEqual(['n1-10'])
    expect(await backupFor(19), 'not archived yet, but the primary is there').toEqual(['n1-10'])
    const refused = { code: 'invalid-input', faults: [{ file: 'shop.yml', path: 'nodes[0].restore_config' }] }
    for (const hour of [1, 9, 21]) await expect(backupFor(hour)).rejects.toMatchObject(refused)
  })

  test('is done once: a node that was restored by it is left alone, whatever else is deployed', async () => {
    const asked = { ...wish, restore: { all: at(5) } }
    const plan = await planOf(asked, await actual(), archives)
    const key = inputs['prepare-restore'].parse(plan.remodels[0]?.input).restore.key
    const mark = (node: string, primary: string): ActualMaterial => ({
      ...{ id: `restored/${node}`, attributes: { key, primary }, needs: [], meta: {} },
    })
    const after = [...builtBy(plan, await actual()), mark('n1', 'n1-a'), mark('n2', 'n2-c')]
    expect((await planOf(asked, after, archives)).remodels).toEqual([])
    const grown = await planOf({ ...asked, nodes: { ...asked.nodes, n3: 'e' } }, after, archives)
    expect(restoresIn(grown), 'who comes later is filled from those that stand').toEqual([])
    expect(steps(grown, 'populate-node')).toHaveLength(1)
    const forgotten = await planOf(wish, after, archives)
    expect(forgotten.remodels.map(({ id }) => id)).toEqual(['note-resource restored/n1', 'note-resource restored/n2'])
    expect(restoresIn(await planOf({ ...wish, restore: { all: at(6) } }, after, archives))).toHaveLength(2)
  })

  test('goes on where it was cut off: what has its data keeps it, what lost it gets it', async () => {
    const asked = { ...wish, restore: { all: at(5) } }
    const whole = await actual()
    const key = inputs['prepare-restore'].parse((await planOf(asked, whole, archives)).remodels[0]?.input).restore.key
    const left = whole.filter(({ id }) => /^(host|archive)\//.test(id) || id === 'instance/n1-a')
    const mark = { id: 'restored/n1', attributes: { key, primary: 'n1-a' }, needs: [], meta: {} }
    const rest = await planOf(asked, [...left, mark], archives)
    expect(restoresIn(rest)).toEqual([['instance/n2-c', 'restore', 'n1', 'n1-2']])
    const roles = steps(rest, 'set-up-instance').map(({ material, input }) => [
      material,
      inputs['set-up-instance'].parse(input).role,
    ])
    expect(Object.fromEntries(roles)).toMatchObject({ 'instance/n1-b': 'follow', 'instance/n2-d': 'follow' })
    expect(
      roles.filter(([, role]) => role === 'found'),
      'no node begins empty',
    ).toEqual([])
  })
})
