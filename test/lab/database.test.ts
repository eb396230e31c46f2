import { describe, expect, test } from 'vitest'
import { labWith, plansIn, playSession, typed } from './played.ts'

const nothing = 'No changes. shop stands as written.'

describe('the lab, with a database', () => {
  test('plays a session: deployed, a node added, switched over, failed over, a node removed, restored', async () => {
    const played = await playSession('examples/lab/database.yml')
    const [first, unchanged, added, switched, failedOver, back, removed, restored, last] = plansIn(played)
    expect(first).toContain('create node n2')
    expect(unchanged).toBe(nothing)
    expect(added).toContain('copy n1 to n3')
    expect(switched).toMatch(/primary_instance_id: n1-a -> n1-b/)
    expect(failedOver).toMatch(/fail over n1 to n1-a +the machine of its primary n1-b is gone/)
    expect(back, 'the document names the other primary still').toMatch(/primary_instance_id: n1-a -> n1-b/)
    expect(removed).toContain('drain n3')
    expect(restored).toContain('check backup n1-1')
    expect(last, 'a restore is done once').toBe(nothing)
    const floorplan = played.at(-1)!.shown
    expect(floorplan).not.toContain('n3')
    expect(floorplan).toMatch(/archive of n1 +n1-1: 2026-01-01T00:00:00Z to \S+, n1-2: /)
  })

  test('a server that was added lets clients in when its plan comes to that', async () => {
    const lab = await labWith('examples/database/shop.yml')
    await typed(lab, 'plan')
    await typed(lab, 'carry-out: { until: open-node node/n2 }')
    const rest = await typed(lab, 'plan')
    expect(rest).toMatch(/let clients in to n2: .* it lets no client in/)
    expect(rest).not.toContain('create')
    await typed(lab, 'carry-out')
    expect(await typed(lab, 'plan')).toBe(nothing)
  })

  test('a restore to a moment that no backup reaches is refused at its place, with the moments that one reaches', async () => {
    const lab = await labWith('examples/database/shop.yml')
    await typed(lab, 'plan')
    await typed(lab, 'carry-out')
    const restore = "restore_config: { restore_options: { type: time, target: '2025-12-31T00:00:00Z' } }"
    await typed(lab, `replace: { from: "backup_config:", to: "${restore}\\nbackup_config:" }`)
    await expect(typed(lab, 'plan')).rejects.toMatchObject({
      code: 'invalid-input',
      faults: [{ path: 'restore_config', allowed: expect.stringContaining('n1-1: 2026-01-01T00:00:00.000Z to ') }],
    })
  })
})
