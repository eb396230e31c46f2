import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { listing } from '../../../../kinds/database/server/data.ts'
import { openAsClient, startPostgres } from '../postgres.ts'

/** What a base backup and the copy for a replica read of a data directory, by the command that they run. */
test('a backup has all of the data, and no log, slot or sign of a running server', { timeout: 60_000 }, async () => {
  const server = await startPostgres()
  try {
    const session = await openAsClient(server.host, server.at, 'postgres')
    await session.query(`SELECT pg_create_physical_replication_slot('kept', true)`)
    await session.query('CREATE TABLE item (id int)')
    const table = String(await session.value(`SELECT pg_relation_filepath('item')`))
    const folder = String(await session.value('SHOW data_directory'))
    await session.close()
    const read = (type: 'd' | 'f') =>
      execFileSync('/bin/sh', ['-c', listing(type)], { cwd: folder, encoding: 'utf8' })
        .split('\0')
        .map((entry) => entry.split('\t')[1] ?? '')
    const paths = [...read('d'), ...read('f')]
    expect(paths).toEqual(
      expect.arrayContaining([table, 'global/pg_control', 'PG_VERSION', 'pg_xact/0000', 'pg_wal', 'pg_replslot']),
    )
    const without =
      /^(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/|^postmaster\.|^(standby|recovery)\.signal$|backup_label|pgsql_tmp/
    expect(paths.filter((path) => without.test(path))).toEqual([])
    const all = execFileSync('find', ['.', '-printf', '%P\\0'], { cwd: folder, encoding: 'utf8' }).split('\0')
    expect(all, 'the control: there is such a thing').toEqual(
      expect.arrayContaining(['postmaster.pid', 'pg_replslot/kept']),
    )
  } finally {
    server.stop()
  }
})
