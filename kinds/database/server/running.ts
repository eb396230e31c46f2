import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { type Machines, openSession, quoted, type Session } from '../postgres/server.ts'
import { byHandSql, complaintsIn, notInEffectSql } from '../postgres/settings.ts'
import { changedIn, findChanged, noteWritten } from '../postgres/written-files.ts'
import { owner, place } from './place.ts'
import { lookAt, until } from './primary.ts'
import { reloadServer } from './process.ts'
import { shell } from './shell.ts'

/** Larger than any crash recovery should take. */
const startMs = 600_000
const readMs = 30_000
/** What decides how a server runs and who may come in; how it follows is none of this. */
const files = 'remodel.conf pg_hba.conf pg_ident.conf'

export async function isUp({ provider }: Pick<StepContext, 'provider'>, member: Member): Promise<boolean> {
  const [seen] = await lookAt(provider, [member])
  return seen!.recovering !== null
}

/** Files of settings are kept until the server runs with others; those that are kept already are older and stay. */
export async function keepSettings(connection: Connection): Promise<void> {
  await shell(
    connection,
    `if [ -e ${place.data}/remodel.conf ] && [ ! -e ${place.earlier} ]; then
       rm -rf ${place.earlier}.new; mkdir ${place.earlier}.new; cd ${place.data}
       for file in ${files}; do if [ -e $file ]; then cp $file ${place.earlier}.new/; fi; done
       mv ${place.earlier}.new ${place.earlier}; fi`,
  )
}

/** False where none are kept: it is a server that never ran. */
export async function putBackSettings(connection: Connection): Promise<boolean> {
  if ((await connection.exec(['test', '-e', place.earlier])).exitCode !== 0) return false
  await shell(
    connection,
    `cp ${place.earlier}/* ${place.data}/; chown ${owner} ${place.data}/*.conf; ${noteWritten(files.split(' '))}; rm -rf ${place.earlier}`,
  )
  return true
}

/** Waits until it takes sessions. Throws `job-failed`, with what its log says behind `from`, where it ended instead. */
export async function answering(
  context: StepContext,
  connection: Connection,
  { member, from }: { member: Member; from: number },
  waitMs = startMs,
): Promise<void> {
  await until(`the start of ${member.instance}`, context.signal, waitMs, async () => {
    if (await isUp(context, member)) return true
    const [process] = await connection.status()
    if (process?.state !== 'failing') return false
    const { stdout: log } = await connection.exec([
      '/bin/sh',
      '-c',
      `tail -c +${from + 1} ${place.log} | tail -c 32768`,
    ])
    const why = complaintsIn(log).map(({ message }) => message)
    if (why.length === 0) return false
    throw new RemodelError('job-failed', `${member.instance} does not start: ${[...new Set(why)].join('; ')}`, {
      details: { log },
    })
  })
}

/** How much it has written to its log: what it writes from now on is of a start that begins now. */
export async function endOfLog(connection: Connection): Promise<number> {
  const { stdout } = await connection.exec(['/bin/sh', '-c', `stat -c %s ${place.log} 2>/dev/null || echo 0`])
  return Number(stdout.trim())
}

/**
 * Has it read its files again, and waits until it has. Changes by hand of these settings, and of those of its
 * files, are taken back.
 */
export async function readAgain(
  { provider, signal }: Pick<StepContext, 'provider' | 'signal'>,
  connection: Connection,
  member: Member,
  settings: readonly string[],
): Promise<void> {
  const loaded = (session: Session) => session.value('SELECT pg_conf_load_time()::text')
  const before = await asked(provider, member, async (session) => {
    const byHand = await session.query(byHandSql, [settings.map((name) => name.toLowerCase())])
    for (const { name } of byHand) await session.query(`ALTER SYSTEM RESET ${quoted(String(name))}`)
    return loaded(session)
  })
  await reloadServer(connection)
  await until(`${member.instance} reading its settings`, signal, readMs, async () => {
    return (await asked(provider, member, loaded)) !== before
  })
}

/**
 * Throws `job-failed` where it refuses some of its files. A setting that is in none of them any more, and goes with the
 * next start only, is an error of no name and no file.
 */
export async function refuseUnread({ provider }: Pick<StepContext, 'provider'>, member: Member): Promise<void> {
  const refused = await asked(provider, member, (session) =>
    session.query(
      `SELECT name, setting, error FROM pg_file_settings f WHERE error IS NOT NULL
         AND NOT EXISTS (SELECT FROM pg_settings s WHERE s.pending_restart
           AND (s.name = f.name OR (f.name IS NULL AND f.sourcefile IS NULL)))`,
    ),
  )
  if (refused.length === 0) return
  const words = refused.map(({ name, setting, error }) => `${name === null ? '' : `${name} = ${setting}: `}${error}`)
  throw new RemodelError('job-failed', `${member.instance} refuses its settings: ${words.join('; ')}`)
}

/** Files of settings that another hand has changed since a remodel wrote them. */
export async function changedFiles(connection: Connection): Promise<string[]> {
  return changedIn((await connection.exec(['/bin/sh', '-c', findChanged])).stdout)
}

export function awaitsRestart(provider: Machines, member: Member): Promise<boolean> {
  return asked(provider, member, async (session) => {
    return (await session.value('SELECT count(*)::int FROM pg_settings WHERE pending_restart')) !== 0
  })
}

/** Settings that the server does not have as its files say, or that were set by hand. */
export function notInEffect(
  { provider }: Pick<StepContext, 'provider'>,
  member: Member,
  settings: readonly string[],
): Promise<string[]> {
  return asked(provider, member, async (session) => {
    const names = settings.map((name) => name.toLowerCase())
    return (await session.query(notInEffectSql, [names])).map(({ name }) => String(name))
  })
}

async function asked<T>(provider: Machines, member: Member, question: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(provider, member, 'postgres')
  try {
    return await question(session)
  } finally {
    await session.close()
  }
}
