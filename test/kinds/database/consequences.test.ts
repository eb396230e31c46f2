import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { planLines } from '../../../cli/views/plan-text.ts'
import { createStyle } from '../../../cli/views/style.ts'
import { archiveObservation, type Drops } from '../../../kinds/database/plan/archived.ts'
import { postgresBinaries } from '../../../kinds/database/postgres/binaries.ts'
import { restartBy } from '../../../kinds/database/postgres/restart-settings.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { builtBy } from './built.ts'
import { documentOf, type Wish } from './document.ts'
import { planOf } from './planned.ts'

const one: Wish = { net: 80, nodes: { n1: 'ab', n2: 'c' } }
const built = async () => builtBy(await planOf(one))
const consequences = async (wish: Wish | string, materials?: ActualMaterial[]) =>
  (await planOf(wish, materials ?? (await built()))).consequences
const text = (plan: Plan, verbose = false) =>
  planLines(plan, { style: createStyle(false, 200), verbose, next: [] }).join('\n')

describe('a plan of a database says what it means', () => {
  test('for a setting that starts servers again, in their order, and for one that does not', async () => {
    expect(await consequences({ ...one, settings: { max_connections: 70 } })).toEqual([
      'n1-b restarts once: writes on n1 wait for it, for about 1 s',
      'n1-a restarts once: no writes on n1 for about 1 s, and its sessions end',
      'n2-c restarts once: no writes on n2 for about 1 s, and its sessions end',
    ])
    expect(await consequences({ ...one, settings: { Work_Mem: '8MB' } })).toEqual([
      'n1-b, n1-a and n2-c read their settings again: nothing is interrupted',
    ])
    expect((await consequences({ ...one, settings: { 'my.extension': 'x' } }))?.[0]).toMatch(/^n1-b may restart once/)
  })

  test('for another primary, a replica that comes, one that goes, and a new node', async () => {
    expect(await consequences({ net: 80, nodes: { n1: 'ab', n2: 'cd' }, primary: { n1: 'b' } })).toEqual([
      'n1-b takes over from n1-a: no writes on n1 for about 1 s, and sessions with n1-a end',
      'n2-d comes: it is copied from the primary of n2, which goes on taking writes',
    ])
    expect(await consequences({ ...one, nodes: { n1: 'a', n2: 'c' } })).toEqual(['n1-b goes: n1 goes on without it'])
    expect(await consequences({ ...one, nodes: { ...one.nodes, n3: 'd' }, source: { n3: 'n1' } })).toEqual([
      'n3 comes with what n1 has, which goes on taking writes',
    ])
  })

  test('for a server that is gone', async () => {
    const gone = (await built()).map((material): ActualMaterial => {
      if (material.id !== 'instance/n1-b') return material
      const resource = { ...(material.meta.resource as object), needs_recreate: true }
      return { ...material, meta: { health: 'down', resource: resource as never } }
    })
    expect(await consequences(one, gone)).toEqual(['n1-b is set up again: n1 goes on taking writes'])
  })

  test('for a restore: which moment, by how much, and where what was written since is', async () => {
    const kept = { ...one, keep: 2 }
    const at = (time: string) => Date.parse(`2026-01-31T${time}Z`)
    const backup = {
      id: 'b1',
      node: 'n1',
      line: 'l',
      from: at('11:00:00'),
      until: at('11:00:01'),
      stop: '0/1',
      nextXid: '3',
      dataBytes: 1,
      bytes: 1,
      logBytes: 1,
    }
    const archived = (node: string, drops?: Drops) =>
      archiveObservation(
        {
          ...{ deployment: 'shop', node, line: 'l', now: at('12:00:12'), nextXid: '900', end: '0/9' },
          ...(drops === undefined ? {} : { drops }),
          backups: [{ ...backup, node }],
        },
        { at: at('12:00:12'), observer: 'planner-1' },
      )
    const actual = builtBy(await planOf(kept))
    const restore = { all: { restore_options: { type: 'time', target: '2026-01-31T12:00:00Z' } } }
    const plan = await planOf({ ...kept, restore }, actual, [archived('n1')])
    expect(plan.consequences?.[0]).toMatch(
      /^n1 and n2 go back to 2026-01-31T12:00:00.*, by 12 s; how many rows that drops is not known: no writes until that is done; what was written since leaves, and stays in the archive/,
    )
    expect(plan.remodels.some(({ destructive }) => destructive)).toBe(false)
    const first = async (...drops: (Drops | undefined)[]) =>
      (await planOf({ ...kept, restore }, actual, [archived('n1', drops[0]), archived('n2', drops[1])]))
        .consequences?.[0]
    const rows = (number: number | null, transactions = 9, more = false) => ({ rows: number, transactions, more })
    expect(await first(rows(547), rows(547))).toMatch(/, by 12 s, and drop 547 rows written since: no writes until/)
    expect(await first(rows(1547), rows(1))).toMatch(
      /, and drop 1,547 rows written since on n1 and 1 row written since on n2:/,
    )
    expect(await first(rows(0, 0), rows(0, 0))).toMatch(/, and drop no row:/)
    expect(await first(rows(null, 12), rows(null, 900_000, true))).toMatch(
      /and drop 12 transactions, of which the rows could not be counted in time on n1 and at least 900,000 transactions, .* on n2:/,
    )
    expect(await first(rows(5), undefined)).toMatch(
      /5 rows written since on n1 and a number of rows that is not known on n2:/,
    )
    expect(await first({ bytes: 3 * 2 ** 20 }, { bytes: 3 * 2 ** 20 })).toMatch(
      /drop 3\.0 MiB of log, of which no rows are counted:/,
    )
  })

  test('for passwords and attributes of users, of which no plan shows what PostgreSQL stores', async () => {
    const plan = await planOf(
      documentOf(one).replace('"SUPERUSER"', '"CREATEDB"'),
      (await built()).map((material): ActualMaterial => {
        const { users } = material.attributes
        if (!Array.isArray(users)) return material
        const earlier = (users as Record<string, string>[]).map((user) => ({
          ...user,
          verifier: 'sha256:of another one',
        }))
        return { ...material, attributes: { ...material.attributes, users: earlier as never } }
      }),
    )
    expect(plan.consequences).toEqual([
      'the password of app changes: sessions stay, new ones need it',
      'the password of tester changes: sessions stay, new ones need it',
      'tester has LOGIN, CREATEDB from now on',
    ])
    const { changes } = plan.remodels.find(({ material }) => material === 'instance/n1-a')!
    expect(changes).toEqual([
      { path: 'users.app.password', before: 'one', after: 'another one' },
      { path: 'users.tester.attributes', before: ['LOGIN', 'SUPERUSER'], after: ['LOGIN', 'CREATEDB'] },
      { path: 'users.tester.password', before: 'one', after: 'another one' },
    ])
    expect(text(plan)).not.toMatch(/sha256|verifier/)
  })

  test('first, and leaves out how links are made unless all is asked for', async () => {
    const plan = await planOf({ ...one, nodes: { ...one.nodes, n3: 'd' }, source: { n3: 'n1' } }, await built())
    const [headline, first] = text(plan).split('\n')
    expect([headline, first]).toEqual([
      '8 changes: 8 to create.',
      '  n3 comes with what n1 has, which goes on taking writes',
    ])
    const internal = /monitor|sync event|\bslot\b|origin|dump roles|extra_dependencies|needs_update|primary_instance_id/
    expect(text(plan)).not.toMatch(internal)
    expect(text(plan)).toContain('copy n1 to n3')
    expect(text(plan, true)).toMatch(/sync event/)
  })

  test('data is only said to be lost where no other server has it', async () => {
    const lost = async (wish: Wish) => {
      const { remodels } = await planOf(wish, await built())
      return remodels.flatMap(({ destructive, material }) => (destructive ? [material] : []))
    }
    expect(await lost({ ...one, nodes: { n1: 'ad', n2: 'c' } })).toEqual([])
    expect(await lost({ ...one, nodes: { n1: 'ab' } })).toEqual([])
  })
})

test('which settings start a server again is what PostgreSQL says', async () => {
  const { stdout } = await execa(join(postgresBinaries(), 'postgres'), ['--describe-config'])
  const said = stdout.split('\n').map((line) => line.split('\t') as [string, string])
  const wrong = said.filter(([name, context]) => (restartBy(name) === 'yes') !== (context === 'postmaster'))
  expect(wrong).toEqual([])
})
