import type { Connection, Stopped } from '../../../shared/provider/connection.ts'
import { asServer, owner, place } from './place.ts'
import { shell } from './shell.ts'

/** Larger than any crash recovery should take; a start that hangs is shown as failing then. */
const startSeconds = 600
const stopMs = 60_000

/** The server as a supervised process: it comes back when it dies. */
export async function supervise(connection: Connection): Promise<void> {
  const control = `${place.binaries}/pg_ctl -D ${place.data}`
  await connection.supervise([
    {
      name: 'postgres',
      pidfile: `${place.data}/postmaster.pid`,
      start: asServer(`${control} -l ${place.log} -w -t ${startSeconds} start`),
      stop: asServer(`${control} -m fast -w -t ${stopMs / 1000} stop`),
      startTimeoutSeconds: startSeconds,
    },
  ])
}

/** Starts it unless it runs. Returns before it takes sessions. */
export async function startServer(connection: Connection): Promise<void> {
  // A machine that is new has other process ids: a pid file of the old one may name another process. Root of a machine
  // may not read the `exe` of another user's process.
  await shell(
    connection,
    `mkdir -p ${place.run}; chown ${owner} ${place.run}
     for p in /proc/[0-9]*; do if [ "$(cat $p/comm 2>/dev/null || true)" = postgres ]; then exit 0; fi; done
     rm -f ${place.data}/postmaster.pid`,
  )
  await supervise(connection)
  await connection.start()
}

/**
 * Starts one that its machine does not know any more, as that was made anew. One that will not
 * stay up is left as it is.
 */
export async function resumeServer(connection: Connection): Promise<void> {
  const [process] = await connection.status()
  if (!process || process.state === 'stopped') await startServer(connection)
}

/** Answers how it ended: one that was killed has not written down what it had in memory. */
export function stopServer(connection: Connection): Promise<Stopped> {
  return connection.stop(stopMs)
}

export async function restartServer(connection: Connection): Promise<void> {
  await supervise(connection)
  await stopServer(connection)
  await startServer(connection)
}

/** Reads changed files again; what needs a restart is marked by the server as pending. */
export async function reloadServer(connection: Connection): Promise<void> {
  await shell(connection, asServer(`${place.binaries}/pg_ctl -D ${place.data} reload`))
}
