import { describe, expect, test } from 'vitest'
import { fillingSlots } from '../../../kinds/database/inspection/filling.ts'
import { deviations } from '../../../kinds/database/plan/deviations.ts'
import type { Wish } from '../../long/database/support.ts'
import { builtBy } from './built.ts'
import { planOf } from './planned.ts'

const wish: Wish = { net: 1, nodes: { n1: 'ab', n2: 'c' } }
const mebibyte = 2 ** 20

async function limits(of: Wish): Promise<unknown[]> {
  return builtBy(await planOf(of))
    .filter(({ id }) => id.startsWith('instance/'))
    .map(({ attributes }) => (attributes.settings as Record<string, string>).max_slot_wal_keep_size)
}

describe('the log that slots keep', () => {
  test('has half of the disk, so that a reader that is away does not stop the writes of all', async () => {
    expect(await limits(wish)).toEqual(['512MB', '512MB', '512MB'])
  })

  test('has what the document says, in any case of the name', async () => {
    expect(await limits({ ...wish, settings: { max_slot_wal_keep_size: '2GB' } })).toEqual(['2GB', '2GB', '2GB'])
    expect(await limits({ ...wish, settings: { Max_Slot_WAL_keep_size: '-1' } })).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test('is not ended where it is archived: the archive would have a gap', async () => {
    expect(await limits({ ...wish, keep: 3 })).toEqual([undefined, undefined, undefined])
  })

  test('is named when it takes much of the disk, or is about to be ended, with whom it is kept for', () => {
    const disk = 1024 * mebibyte
    const of = (slot: string, mib: number, left: number | null) =>
      fillingSlots(
        { node: 'n1', keeping: [{ slot, bytes: mib * mebibyte, left: left === null ? null : left * mebibyte }] },
        disk,
      )
    expect(of('remodel_n1_n2', 100, 400)).toEqual([])
    expect(of('remodel_n1_n2', 300, 212)).toEqual([
      'keeps 300.0 MiB of its log for n2, which has not read it: and 212.0 MiB more ends its slot',
    ])
    expect(of('remodel_n1_n2', 60, 4)).toEqual([
      'keeps 60.0 MiB of its log for n2, which has not read it: and 4.0 MiB more ends its slot',
    ])
    expect(of('instance_n1_b', 900, null)).toEqual([
      'keeps 900.0 MiB of its log for n1-b, which has not read it: until the disk is full',
    ])
    expect(of('remodel_archive', 900, null)).toEqual([
      'keeps 900.0 MiB of its log for the archive, which has not read it: until the disk is full',
    ])
    // A setting smaller than a file of the log says nothing of a reader that is at the end.
    expect(of('remodel_n1_n2', 0.1, 0)).toEqual([])
  })

  test('makes the database degraded then', async () => {
    const actual = builtBy(await planOf(wish)).map((material) =>
      material.id === 'instance/n1-a'
        ? { ...material, meta: { ...material.meta, filling: ['keeps 300.0 MiB'] } }
        : material,
    )
    expect(deviations({ materials: actual, observations: [] }, 'shop')).toContainEqual({
      material: 'instance/n1-a',
      what: 'keeps 300.0 MiB',
    })
  })
})
