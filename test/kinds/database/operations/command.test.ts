import { describe, expect, test } from 'vitest'
import { operationNames, runBatch, runOperation } from '../../../../kinds/database/plan/operations/command.ts'
import { built, empty, nodesOf, type Shape } from './databases.ts'

const shape: Shape = {
  nodes: [{ name: 'n1', instances: [{ number: 1, setting: 0, extra: false }] }],
  rich: false,
  service: false,
}

async function batch(lines: string[]): Promise<unknown[]> {
  const answers: unknown[] = []
  for await (const line of runBatch(lines)) answers.push(JSON.parse(line))
  return answers
}

describe('operations over JSON', () => {
  test('knows every function of the reference by its name', () => {
    const wanted = [
      'UpdateDatabase',
      'RestoreDatabase',
      'AddNode',
      'AddNodes',
      'UpdateNode',
      'RollingUpdateNodes',
      'ConcurrentUpdateNodes',
    ]
    expect(operationNames).toEqual(
      expect.arrayContaining([
        ...wanted,
        'PopulateNode',
        'PopulateNodes',
        'RestoreNode',
        'EndState',
        'Plan',
        'PlanRefresh',
        'EventApply',
      ]),
    )
  })

  test('names each plan for people beside the plans', () => {
    const result = runOperation('UpdateDatabase', { start: empty, nodes: nodesOf(shape) })
    expect(result.plan_names).toEqual(['add n1: primary', 'set up the databases'])
    expect(result.plans).toHaveLength(2)
  })

  test('answers each line of a batch in its order, and goes on after a bad one', async () => {
    const good = {
      name: 'noop',
      function: 'UpdateDatabase',
      input: { start: built(shape), nodes: nodesOf(shape), services: null },
    }
    const bad = {
      name: 'bad',
      function: 'UpdateDatabase',
      input: { start: empty, nodes: [...nodesOf(shape), ...nodesOf(shape)] },
    }
    expect(await batch([JSON.stringify(bad), '', 'no json', JSON.stringify(good)])).toEqual([
      expect.objectContaining({ name: 'bad', error: 'node n1 is named twice', error_class: 'duplicate_node' }),
      expect.objectContaining({ name: null, error_class: 'invalid_input' }),
      { name: 'noop', plans: [] },
    ])
  })

  test('refuses an input of another shape with every wrong place, never with a stack', () => {
    const result = runOperation('UpdateDatabase', {
      start: { version: '1.2.0', resources: { a: { b: { error: 1 } } } },
      nodes: 'n1',
      options: { stratgy: 'x' },
    })
    expect(result.error_class).toBe('invalid_input')
    const paths = result.faults!.map(({ path }) => path)
    expect(paths).toEqual(expect.arrayContaining(['nodes', 'options', 'start.resources.a.b.error']))
  })

  test('refuses a state of a newer version and an unknown function', () => {
    expect(runOperation('PlanRefresh', { current: { version: '1.3.0', resources: {} } }).error).toContain('1.3.0')
    expect(runOperation('PlanRefresh', null).error_class).toBe('invalid_input')
    expect(runOperation('DropDatabase', {})).toMatchObject({ error_class: 'unknown_function' })
    expect(runOperation('constructor', {})).toMatchObject({ error_class: 'unknown_function' })
  })

  test('takes identifiers that are names of object members for what they are', () => {
    const one = {
      ...nodesOf(shape)[0]!.instances![0]!.instance,
      identifier: { type: 'constructor', id: 'toString' },
      dependencies: null,
    }
    const state = JSON.parse(`{"version":"1.2.0","resources":{"constructor":{"toString":${JSON.stringify(one)}}}}`)
    const result = runOperation('Plan', { current: { version: '1.2.0', resources: {} }, desired: state })
    expect(result.plan).toEqual([[expect.objectContaining({ type: 'create', resource_id: 'constructor::toString' })]])
  })
})
