import { describe, expect, test } from 'vitest'
import { inputs, type StepName } from '../../../kinds/database/inputs.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { builtBy } from './built.ts'
import { documentOf } from './document.ts'
import { planOf } from './planned.ts'

const two = { net: 80, nodes: { n1: 'ab', n2: 'cd' } }

describe('a database document', () => {
  test('gives the same plan, byte for byte, whenever it is planned', async () => {
    expect(JSON.stringify(await planOf(two))).toBe(JSON.stringify(await planOf(two)))
  })

  test('that stands needs nothing, in whatever order it names the hosts of a node', async () => {
    const actual = builtBy(await planOf(two))
    expect((await planOf({ ...two, nodes: { n1: 'ba', n2: 'cd' } }, actual)).remodels).toEqual([])
  })

  test('gives every step an input that the step accepts, and every phase waits for the one before', async () => {
    const first = await planOf(two)
    const added = await planOf({ ...two, nodes: { ...two.nodes, n3: 'ef' } }, builtBy(first))
    for (const { remodels } of [first, added]) {
      for (const { step, input } of remodels.filter(({ step }) => step !== 'barrier')) {
        expect(() => inputs[step as StepName].parse(input), step).not.toThrow()
      }
      expect(
        remodels.filter(({ needs }) => needs.length === 0).every(({ stage }) => stage === remodels[0]!.stage),
      ).toBe(true)
    }
    const at = (id: string) => added.remodels.findIndex((remodel) => remodel.id.startsWith(id))
    expect(at('create-slot replication_slot/n2:n3')).toBeLessThan(at('populate-node'))
    expect(at('await-mark wait_for_sync_event/n2:n1')).toBeLessThan(at('populate-node'))
    expect(at('populate-node')).toBeLessThan(at('advance-origin'))
  })

  test('with a primary whose machine is gone: the replica that has its slots takes over first; else it is brought back', async () => {
    const actual = builtBy(await planOf(two))
    const lost = (slots: string[]) =>
      actual.map((material): ActualMaterial => {
        const { resource, ...meta } = material.meta
        const gone = { ...(resource as object), needs_recreate: true } as never
        if (material.id === 'host/a') return { ...material, meta: { resource: gone, health: 'missing' } }
        if (material.id === 'instance/n1-a') return { ...material, meta: { resource: gone, health: 'down' } }
        if (material.id === 'instance/n1-b') return { ...material, meta: { ...material.meta, slots, received: 1 } }
        return { ...material, meta: { resource: resource!, ...meta } }
      })
    expect((await planOf(two, lost(['remodel_n1_n2']))).remodels[0]).toMatchObject({ id: 'fail-over node/n1' })
    const brought = await planOf(two, lost([]))
    expect(brought.remodels.map(({ step }) => step)).not.toContain('fail-over')
    expect(brought.notes[0]).toContain('without loss')
  })

  test('that is wrong is refused with every place at once', async () => {
    const value = JSON.parse(documentOf(two))
    value.nodes[1].host_ids = ['a', 'x']
    value.nodes.push({ name: 'n2', host_ids: ['d'], source_node: 'n2' })
    value.postgresql_conf.wal_level = 'minimal'
    const error = await planOf(JSON.stringify(value)).catch((thrown) => thrown)
    expect(error.faults.map(({ path }: { path: string }) => path)).toEqual([
      'nodes[1].host_ids[0]',
      'nodes[1].host_ids[1]',
      'nodes[2].name',
      'nodes[2].source_node',
      'postgresql_conf.wal_level',
    ])
  })

  test('never puts a password into a plan', async () => {
    const value = JSON.parse(documentOf(two))
    value.database_users[0].password = 'open sesame'
    expect(JSON.stringify(await planOf(JSON.stringify(value)))).not.toContain('open sesame')
  })
})
