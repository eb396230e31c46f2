import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Field } from './field.ts'

let field: Field
beforeAll(async () => {
  field = await Field.open()
})
afterAll(() => field.close())

const deployed = new Set<string>()
afterEach(async () => {
  for (const name of deployed) {
    const { plan } = await field.client.planRemoval(name)
    await field.carryOut(plan)
  }
  deployed.clear()
})

/** Deploys a document that is right. */
async function good(name: string, content: string): Promise<void> {
  deployed.add(name)
  expect(await field.deploy(content)).toMatchObject({ state: 'done', said: '' })
}

const show = (deployment: string, host: string, address: number, setting: string) =>
  field.sql(deployment, host, address, `SELECT current_setting('${setting}')`)

describe('settings of a database', { timeout: 400_000 }, () => {
  test('that PostgreSQL does not know, or whose value it refuses, are refused at their line, and nothing is touched', async () => {
    const [first, typo] = [field.document('B12/1-good.yml'), field.document('B12/2-typo.yml')]
    const [switched, lots] = [field.document('B12/3-switchover.yml'), field.document('B12/5-shared-buffers-lots.yml')]
    await good('ledgerbook', first)
    for (const [content, setting] of [
      [typo, 'log_diconnections'],
      [switched, 'log_diconnections'],
      [lots, 'shared_buffers'],
    ] as const) {
      const { state, said } = await field.deploy(content)
      expect(state).toBe('refused')
      expect(said).toMatch(new RegExp(`^11: postgresql_conf.${setting}: PostgreSQL refuses it`, 'm'))
    }
    expect(await show('ledgerbook', 'p', 1, 'work_mem')).toBe('4MB')
    expect(await field.plan(first)).toMatchObject({ remodels: [] })
  })

  test('arrive as they are written: octal numbers, blanks, quotes, backslashes and new lines', async () => {
    const [first, next] = [field.document('B12/6-good.yml'), field.document('B12/6-log-file-mode.yml')]
    await good('var2', first)
    const odd = `it's a \\\\t \\"b\\" 100%\\n`
    await good('var2', next.replace('archive_mode: "on"', `archive_mode: "on", app.note: "${odd}"`))
    for (const [host, address] of [
      ['p', 1],
      ['q', 2],
    ] as const) {
      expect(await show('var2', host, address, 'log_file_mode')).toBe('0600')
      expect(await show('var2', host, address, 'work_mem')).toBe('9MB')
      expect(await show('var2', host, address, 'archive_mode')).toBe('on')
      expect(await show('var2', host, address, 'app.note')).toBe(`it's a \\t "b" 100%\n`)
    }
  })

  test('that no server could start with are refused by a rehearsal on its machine, in its own words, and nothing is touched', async () => {
    const [first, ssl] = [field.document('B12/7-good.yml'), field.document('B12/7-ssl-without-certificate.yml')]
    await good('ext', first)
    const started = () => field.sql('ext', 'p', 1, 'SELECT pg_postmaster_start_time()::text')
    const before = await started()
    for (const [settings, words] of [
      ['ssl: "on"', 'could not load server certificate file "server.crt"'],
      ['shared_preload_libraries: pg_stat_statments', 'could not access file "pg_stat_statments"'],
      ['session_preload_libraries: auto_explian', 'could not access file "auto_explian"'],
      ['max_connections: 2', '"superuser_reserved_connections" (3) plus'],
      ['shared_buffers: 900GB', 'MiB of shared memory'],
    ] as const) {
      const { state, said } = await field.deploy(ssl.replace('ssl: "on"', settings))
      expect({ settings, state }).toEqual({ settings, state: 'failed' })
      expect(said).toContain('rehearse instance/n1-p: job-failed: nothing was changed')
      expect(said).toContain(words)
    }
    expect(await started()).toBe(before)
    expect(await show('ext', 'p', 1, 'ssl')).toBe('off')
    expect(await field.plan(first)).toMatchObject({ remodels: [] })
  })

  test('with a misspelt library take no replica down', async () => {
    const [first, typo] = [field.document('B12/8-good.yml'), field.document('B12/8-preload-typo.yml')]
    await good('conns15', first)
    const { state, said } = await field.deploy(typo)
    expect(state).toBe('failed')
    expect(said).toContain('could not access file "pg_stat_statments"')
    for (const [host, address] of [
      ['p', 11],
      ['s', 4],
      ['r', 3],
    ] as const) {
      expect(await show('conns15', host, address, 'shared_preload_libraries')).toBe('pg_stat_statements')
    }
  })

  test('that a server dies of only when it starts: the deploy says why, and the earlier ones are back, also where the assembler dies over it', async () => {
    const first = field.document('B12/7-good.yml')
    await good('ext', first)
    // A rehearsal opens no log, so it does not see that there can be none at this place on any machine.
    const wrong = `${first}postgresql_conf: { work_mem: 7MB, logging_collector: "on", log_directory: /dev/null/logs }\n`
    await field.arm('set-up-instance.going-back')
    const { state, said } = await field.deploy(wrong)
    expect(state).toBe('failed')
    expect(said).toContain('it runs with its earlier settings again')
    expect(said).toContain('could not open log file "/dev/null/logs/')
    expect(field.died).toEqual(['set-up-instance.going-back'])
    expect(await show('ext', 'p', 1, 'work_mem')).toBe('4MB')
    expect(await field.plan(first)).toMatchObject({ remodels: [] })
  })

  test('of which a replica must not have less than its primary go up before it and down behind it', async () => {
    const [high, low] = [field.document('B15/1-200.yml'), field.document('B15/2-60.yml')]
    await good('conns15', high)
    const conns = async () => [
      await show('conns15', 'p', 1, 'max_connections'),
      await show('conns15', 'q', 2, 'max_connections'),
    ]
    expect(await conns()).toEqual(['200', '200'])
    const other = (text: string) =>
      text.replace(
        /max_connections: \d+/,
        'max_worker_processes: 20, max_wal_senders: 12, max_locks_per_transaction: 40, $&',
      )
    for (const [content, wanted] of [
      [other(low), '60'],
      [high, '200'],
      [low, '60'],
    ] as const) {
      await good('conns15', content)
      expect(await conns()).toEqual([wanted, wanted])
      expect(await field.plan(content)).toMatchObject({ remodels: [] })
    }
  })

  test('that were set by hand are no longer said to stand as written, and the next deploy sets them back', async () => {
    const first = field.document('B12/1-good.yml')
    const content = `${first}postgresql_conf: { work_mem: 5MB }\n`
    await good('ledgerbook', content)
    await field.sql('ledgerbook', 'q', 2, `ALTER SYSTEM SET work_mem = '64kB'`, 'SELECT pg_reload_conf()')
    const plan = await field.plan(content)
    expect(plan).toMatchObject({
      remodels: expect.arrayContaining([expect.objectContaining({ id: 'set-up-instance instance/n1-q' })]),
    })
    await good('ledgerbook', content)
    expect(await show('ledgerbook', 'q', 2, 'work_mem')).toBe('5MB')
  })
})
