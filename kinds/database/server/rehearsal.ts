import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { InstanceAttributes } from '../inputs.ts'
import { complaintsIn, settingLines } from '../postgres/settings.ts'
import { settingsOf } from './configuration.ts'
import { asServer, owner, place } from './place.ts'
import { shell } from './shell.ts'

/** A library that a session loads must be there as much as one that the server loads. */
const libraries = ['shared_preload_libraries', 'session_preload_libraries'] as const

/**
 * A directory that a server could begin to start in: the control file of the data, and its other files but for
 * settings. `-C` of a value that follows from others goes as far as a start goes before it takes memory, ports or log:
 * settings and whether they go together, libraries, certificates. Nothing that runs is touched.
 */
const prepare = `rm -rf ${place.rehearsal}; mkdir -p ${place.rehearsal}/global
  cp ${place.data}/PG_VERSION ${place.rehearsal}/; cp ${place.data}/global/pg_control ${place.rehearsal}/global/
  for file in ${place.data}/*; do
    case "$file" in *.conf|*.pid|*.opts|*/PG_VERSION) continue ;; esac
    if [ -f "$file" ]; then ln -s "$file" ${place.rehearsal}/; fi
  done`
const ask = `${place.binaries}/postgres -C shared_memory_size -D ${place.rehearsal}`

/** Throws `job-failed`, with the server's own words, where a server could not start with the settings of `instance`. */
export async function rehearse(connection: Connection, instance: InstanceAttributes): Promise<void> {
  if ((await connection.exec(['test', '-e', `${place.data}/global/pg_control`])).exitCode !== 0) return
  const certified = (await connection.exec(['test', '-e', place.certificate])).exitCode === 0
  const { tls, ...rest } = instance
  // Ahead of a plan that brings TLS there is no certificate yet; once there is, its step rehearses once more.
  const settings = settingsOf(tls && certified ? instance : rest, { is: 'ordinary' })
  const loaded = libraries.flatMap((name) => settings[name] || [])
  const text = settingLines({
    ...settings,
    ...(loaded.length > 0 ? { shared_preload_libraries: loaded.join(', ') } : {}),
  })
  try {
    await shell(connection, prepare)
    await connection.write(`${place.rehearsal}/postgresql.conf`, text)
    await shell(connection, `chown -R ${owner} ${place.rehearsal}; chmod 0700 ${place.rehearsal}`)
    await failpoint('rehearse.prepared')
    const { exitCode, stdout, stderr } = await connection.exec(['/bin/sh', '-c', asServer(ask)], {
      env: { LC_ALL: 'C' },
      timeoutMs: 60_000,
    })
    if (exitCode !== 0) throw refused(instance, words(stderr), stderr)
    const [needed, there] = [Number(stdout.trim().split('\n').at(-1)), await memoryMiB(connection)]
    if (needed > there) throw refused(instance, `it would need ${needed} MiB of shared memory, of ${there} MiB`, stdout)
  } finally {
    await shell(connection, `rm -rf ${place.rehearsal}`)
  }
}

function refused({ node, host_id }: InstanceAttributes, why: string, log: string): RemodelError {
  const message = `nothing was changed: PostgreSQL refuses the settings of ${node} on host ${host_id}: ${why}`
  return new RemodelError('job-failed', message, { details: { log } })
}

function words(log: string): string {
  const said = complaintsIn(log).map(({ message }) => message)
  return said.join('; ') || (log.trim().split('\n').at(-1) ?? 'it gives no reason')
}

async function memoryMiB(connection: Connection): Promise<number> {
  const { stdout } = await connection.exec(['cat', '/proc/meminfo'])
  const kib = /^MemTotal:\s+(\d+) kB/m.exec(stdout)?.[1]
  return kib === undefined ? Number.POSITIVE_INFINITY : Math.floor(Number(kib) / 1024)
}
