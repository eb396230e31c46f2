import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { loadedFor } from '../../../cli/loaded.ts'
import { remodel, temporaryFolder } from '../../../cli/remodel.ts'
import { documentOf } from '../document.ts'

describe('a plan with a time to begin', () => {
  test('has that time in it, offline as well', async () => {
    await using folder = await temporaryFolder()
    await writeFile(folder.in('shop.yml'), documentOf({ net: 9, nodes: { n1: 'a' } }))
    await writeFile(folder.in('floorplan.json'), '{}')
    const files = [folder.in('shop.yml'), '--floorplan', folder.in('floorplan.json')]
    const times = ['--not-before', '2126-12-24T22:00Z', '--not-after', '2126-12-24T23:00Z']
    const drawn = await remodel(['plan', ...files, ...times, '--json'])
    expect(drawn.code).toBe(3)
    const [gate] = JSON.parse(drawn.stdout).remodels
    expect(gate).toMatchObject({
      action: 'gate',
      opens: Date.UTC(2126, 11, 24, 22),
      closes: Date.UTC(2126, 11, 24, 23),
    })
    const shown = await remodel(['plan', ...files, ...times])
    expect(shown.stdout).toContain('; waits for its time.')
    expect(shown.stdout).toContain('@ begin, not before 2126-12-24 22:00:00 UTC and not after 2126-12-24 23:00:00 UTC')
  })
})

test.each([
  [['promote', '--help'], ['kinds/database/cli/verbs/promote.ts'], ['commander']],
  [['databases', '--planner', 'x'], ['kinds/database/cli/verbs/databases.ts'], ['commander', 'zod']],
])('for %j the command loads the verb of this kind that is called, and no other', async (args, verbs, packages) => {
  expect(await loadedFor(args)).toEqual({ verbs, packages, kinds: true })
})
