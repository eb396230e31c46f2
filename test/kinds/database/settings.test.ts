import { describe, expect, test } from 'vitest'
import { InstanceAttributes } from '../../../kinds/database/inputs.ts'
import { complaintsIn, settingLines } from '../../../kinds/database/postgres/settings.ts'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { builtBy } from './built.ts'
import { documentOf } from './document.ts'

const wish = { net: 80, nodes: { n1: 'abc' } }

/** Of hosts a, b and c, with these lines as its settings. */
const text = (settings: string) =>
  documentOf(wish).replace(/"postgresql_conf": \{[^}]*\}/, `"postgresql_conf": ${settings}`)

const planOf = (content: string, materials: unknown[] = []) =>
  planOffline({
    files: [{ name: 'shop.yml', content }],
    releases: [],
    options: {},
    floorplan: { deployment: 'shop', version: 1, materials },
  })

const refusal = (content: string) =>
  planOf(content).then(
    () => [],
    (error) => (error instanceof RemodelError ? error.faults : Promise.reject(error)),
  )

describe('settings in a document', () => {
  test('that PostgreSQL does not know or does not take are all refused at once, each at its line, when planned', async () => {
    const content = text(`{
      "max_connections": 60,
      "wrok_mem": "9MB",
      "work_mem": "9 parsecs",
      "wal_sync_method": "zork",
      "log_file_mode": 600,
      "synchronous_commit": "perhaps" }`)
    const line = (setting: string) => content.split('\n').findIndex((one) => one.includes(`"${setting}"`)) + 1
    const faults = await refusal(content)
    const names = ['wrok_mem', 'work_mem', 'wal_sync_method', 'log_file_mode', 'synchronous_commit']
    expect(faults.map(({ path, line }) => [path, line]).sort()).toEqual(
      names.map((name) => [`postgresql_conf.${name}`, line(name)]).sort(),
    )
    expect(faults.find(({ path }) => path?.endsWith('wrok_mem'))).toMatchObject({ suggestion: 'work_mem' })
    expect(faults.find(({ path }) => path?.endsWith('wal_sync_method'))?.message).toContain('Available values: fsync')
  })

  test.each(['port', 'Port', 'include', 'include_dir', 'config_file', 'restore_command', 'recovery_target_xid'])(
    '%s is decided by Remodel',
    async (setting) => {
      expect(await refusal(text(`{ "${setting}": "5" }`))).toMatchObject([
        { path: `postgresql_conf.${setting}`, message: 'is decided by Remodel: leave it out' },
      ])
    },
  )

  test('are one setting in whatever case they are named', async () => {
    expect(await refusal(text('{ "work_mem": "5MB", "Work_Mem": "6MB" }'))).toMatchObject([
      { path: 'postgresql_conf.Work_Mem', message: 'is the same setting as work_mem: take one of them out' },
    ])
  })

  test('keep the text that a number has in the document', async () => {
    const written = '{ log_file_mode: 0600, random_page_cost: 1.10, fsync: true }'
    const plan = await planOf(text(written))
    const { input } = plan.remodels.find(({ step }) => step === 'set-up-instance')!
    const { settings } = InstanceAttributes.parse((input as { instance: unknown }).instance)
    expect(settings).toEqual({
      fsync: 'on',
      log_file_mode: '0600',
      max_slot_wal_keep_size: '512MB',
      random_page_cost: '1.10',
    })
  })

  test('are written so that the server reads each value as it is', () => {
    expect(settingLines({ a: `it's`, b: 'C:\\new\n\t' })).toBe(`a = 'it''s'\nb = 'C:\\\\new\\n\\t'\n`)
  })

  test('are rehearsed on every server that stands ahead of everything else, and lowered on replicas behind their primary', async () => {
    const actual = builtBy(await planOf(text('{ "max_connections": 200, "work_mem": "5MB" }')))
    const changed = async (settings: string) => (await planOf(text(settings), actual)).remodels
    const lowered = await changed('{ "max_connections": 60 }')
    const ids = lowered.map(({ id }) => id)
    const rehearsals = ['a', 'b', 'c'].map((host) => `rehearse instance/n1-${host}`)
    expect(ids.slice(0, 3)).toEqual(rehearsals)
    const first = lowered.find(({ step }) => step === 'set-up-instance')!
    const ahead = lowered.find(({ id }) => first.needs.includes(id))!
    expect([first.needs, ahead.needs].flat()).toEqual(expect.arrayContaining(rehearsals))
    expect(ids.slice(-2)).toEqual(['b', 'c'].map((host) => `set-up-instance instance/n1-${host} (behind its primary)`))
    const raised = await changed('{ "max_connections": 300, "work_mem": "5MB" }')
    expect(raised.filter(({ id }) => id.includes('behind'))).toEqual([])
    expect(
      (await changed('{ "max_connections": 200, "work_mem": "6MB" }')).filter(({ id }) => id.includes('behind')),
    ).toEqual([])
  })
})

test('of a server log only complaints about settings, and the cause of its end, are shown', () => {
  const log = `2026-11-28 14:42:10.850 GMT [23741] LOG:  starting PostgreSQL 18.4
2026-11-28 14:42:10.850 GMT [23741] LOG:  invalid value for parameter "wal_sync_method": "zork"
2026-11-28 14:42:10.850 GMT [23741] HINT:  Available values: fsync, fdatasync.
2026-11-28 14:42:10.850 GMT [23741] app FATAL:  the database system is starting up
2026-11-28 14:42:10.850 GMT [23741] FATAL:  configuration file "/x/postgresql.conf" contains errors
postgres: "superuser_reserved_connections" (3) plus "reserved_connections" (0) must be less than "max_connections" (2)`
  expect(complaintsIn(log)).toEqual([
    {
      setting: 'wal_sync_method',
      message: 'invalid value for parameter "wal_sync_method": "zork". Available values: fsync, fdatasync',
    },
    { message: expect.stringContaining('must be less than "max_connections" (2)') },
  ])
})
