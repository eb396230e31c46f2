import type { Connection, ProcessDefinition } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'
import { isMonitFile, type MonitProcess, parseMonit, type RunAs } from '../../../shared/release/monit.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { shell } from '../../contract/shell.ts'

/** BOSH gives monit five minutes to stop everything. */
export const stopTimeoutMs = 300_000

/**
 * The processes of all monit files of these jobs. Throws `job-failed` where one is to run as a user or group
 * that the machine lacks.
 */
export async function processesOf(connection: Connection, jobs: readonly string[]): Promise<ProcessDefinition[]> {
  const found = await Promise.all(jobs.map((job) => ofJob(connection, job)))
  const processes = found.flat()
  await requireUsers(connection, processes)
  return processes.map(({ startAs, stopAs, start, stop, file, ...process }) => {
    const lines = { start: runAs(start, startAs), stop: runAs(stop, stopAs) }
    return { ...process, ...(file === undefined ? lines : kept(lines, file, process.pidfile)) }
  })
}

async function ofJob(connection: Connection, job: string): Promise<MonitProcess[]> {
  const folder = `${layout.jobs}/${job}`
  const names = (await shell(connection, 'ls -A "$1/"', [folder])).split('\n').filter(isMonitFile)
  const files = await Promise.all(names.map((name) => connection.read(`${folder}/${name}`)))
  return files.flatMap((file) => parseMonit(file.toString('utf8')).processes)
}

async function requireUsers(connection: Connection, processes: readonly MonitProcess[]): Promise<void> {
  for (const { name, startAs, stopAs } of processes) {
    for (const { uid, gid } of [startAs ?? {}, stopAs ?? {}]) {
      for (const [database, who] of Object.entries({ passwd: uid, group: gid })) {
        if (who === undefined) continue
        if ((await connection.exec(['getent', database, who])).exitCode === 0) continue
        const what = database === 'passwd' ? 'user' : 'group'
        throw new RemodelError('job-failed', `process ${name} runs as ${what} ${who}, which this machine does not have`)
      }
    }
  }
}

/**
 * A file is started as a process is: its keeper lives as long as the file is there, and the start
 * program runs when it is gone.
 */
function kept({ start, stop }: { start: string; stop: string }, file: string, pidfile: string) {
  const [watched, own] = [quoted(file), quoted(pidfile)]
  const keeper = `setsid /bin/sh -c 'while [ -e "$0" ]; do sleep 1; done' ${watched} </dev/null >/dev/null 2>&1`
  return {
    start: `(${start}) && { ${keeper} & echo $! > ${own}; }`,
    stop: `(${stop || ':'}); kill "$(cat ${own})"; rm -f ${own}`,
  }
}

/** A command line, run as another user and group. Without a group it is the user's own. */
function runAs(line: string, as: RunAs | undefined): string {
  if (line === '' || (as?.uid === undefined && as?.gid === undefined)) return line
  const { uid, gid } = as
  const user = uid === undefined ? [] : [`--reuid=${quoted(uid)}`, '--init-groups']
  const group = gid === undefined ? `"$(id -g ${quoted(uid!)})"` : quoted(gid)
  const words = [...user, `--regid=${group}`, ...(uid === undefined ? ['--clear-groups'] : [])]
  return `exec setpriv ${words.join(' ')} /bin/sh -c ${quoted(line)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
