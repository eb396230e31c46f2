import { describe, expect, test } from 'vitest'
import { isFullDisk, spaceIn } from '../../../kinds/database/postgres/full-disk.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { builtBy } from './built.ts'
import type { Wish } from './document.ts'
import { planOf } from './planned.ts'

const wish: Wish = { net: 80, nodes: { n1: 'ab', n2: 'c' } }
const mebibytes = 1024

const lines = (left: number, ofLog = left) => [
  'Filesystem     1024-blocks  Used Available Capacity Mounted on',
  `/dev/sdb          65536000 65000 ${left}       99% /var/vcap/store`,
  `none                 65536 65000 ${ofLog}      99% /var/vcap/store/postgres/data/pg_wal`,
]

describe('a disk', () => {
  test('is full where it has no room for another file of the log, and not where it is nearly full', () => {
    expect(isFullDisk(spaceIn(lines(16 * mebibytes)))).toBe(false)
    expect(isFullDisk(spaceIn(lines(16 * mebibytes - 1)))).toBe(true)
    expect(isFullDisk(spaceIn(lines(0)))).toBe(true)
    expect(isFullDisk(spaceIn(['data', 'demoted']))).toBe(false)
  })

  test('that has only the log counts as well', () => {
    expect(spaceIn(lines(9000 * mebibytes, 3))).toEqual({ freeBytes: 3 * 1024, totalBytes: 65536 * 1024 })
  })
})

/** What the inspector finds of n1, whose servers answer but for those with other `meta`. */
async function found(seen: Record<string, object>): Promise<ActualMaterial[]> {
  const well = { health: 'running', timeline: 1, received: 500, slots: ['remodel_n1_n2'] }
  return builtBy(await planOf(wish)).map((material) => {
    if (material.id === 'instance/n1-a') return seenAs(material, { ...well, role: 'primary', ...seen.a })
    if (material.id === 'instance/n1-b') return seenAs(material, { ...well, role: 'replica', lag_bytes: 0, ...seen.b })
    return material
  })
}

function seenAs(material: ActualMaterial, { fault, ...meta }: { fault?: object } & Record<string, unknown>) {
  const resource = { ...(material.meta.resource as object), ...fault }
  return { ...material, meta: { ...material.meta, ...meta, resource } } as ActualMaterial
}

const full = { full: true }
const gone = { fault: { needs_recreate: true }, health: 'down', machine: 'answers' }

describe('a server whose disk is full', () => {
  test('is ended and left alone where it was the primary, and its machine is there again', async () => {
    const { remodels, notes } = await planOf(wish, await found({ a: full }))
    const ids = remodels.map(({ id }) => id)
    expect(ids[0]).toBe('fail-over node/n1')
    expect(ids).toContain('create-host host/a')
    expect(ids).toContain('set-up-instance instance/n1-b')
    expect(remodels.filter(({ material }) => material === 'instance/n1-a')).toEqual([])
    const arranged = remodels.find(({ step }) => step === 'arrange-node')!.input as { members: { instance: string }[] }
    expect(arranged.members.map(({ instance }) => instance)).toEqual(['n1-b'])
    expect(notes).toContain('the disk of n1-a is full: nothing is written on it before there is room')
    const names = new Set(ids)
    expect(remodels.flatMap(({ needs }) => needs).filter((id) => !names.has(id))).toEqual([])
  })

  test('holds up nothing as a replica, whether it runs or not', async () => {
    for (const b of [full, { ...full, ...gone }]) {
      const { remodels, notes } = await planOf(wish, await found({ b }))
      expect(remodels.map(({ id }) => id)).toEqual([])
      expect(notes).toEqual(['the disk of n1-b is full: nothing is written on it before there is room'])
    }
  })

  test('gets no settings, while the others do', async () => {
    const changed = { ...wish, settings: { max_connections: 70 } }
    const { remodels, consequences } = await planOf(changed, await found({ b: full }))
    const materials = remodels.map(({ material }) => material)
    expect(materials).toContain('instance/n1-a')
    expect(materials).toContain('instance/n2-c')
    expect(materials.filter((id) => ['instance/n1-b', 'rehearsal/n1-b'].includes(id))).toEqual([])
    expect(consequences!.filter((text) => text.includes('n1-b'))).toEqual([])
  })

  test('is set up again when there is room', async () => {
    const { remodels } = await planOf(wish, await found({ b: gone }))
    expect(remodels.map(({ id }) => id)).toContain('set-up-instance instance/n1-b')
  })

  test('goes where the document has it no more', async () => {
    const { remodels } = await planOf({ ...wish, nodes: { n1: 'a', n2: 'c' } }, await found({ b: full }))
    expect(remodels.map(({ id }) => id)).toContain('remove-instance instance/n1-b')
  })
})
