import type { Connection } from '../../../shared/provider/connection.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { lsnOf, type Position } from '../postgres/position.ts'
import { readControlFile } from './control-file.ts'
import { place } from './place.ts'
import { lookAt } from './primary.ts'
import { stopServer } from './process.ts'
import { shell } from './shell.ts'

/**
 * Data that is to be replaced by a copy of the primary is put aside where it has more than that primary, or where
 * that is not known: it may be the only place of rows that were acknowledged. It is never deleted by Remodel as long
 * as its instance exists.
 */
export async function keepWhatHasMore(
  context: StepContext,
  connection: Connection,
  member: Member,
  primary: Member,
): Promise<void> {
  const { exitCode } = await connection.exec(['test', '-e', place.whole, '-a', '-d', place.data])
  if (exitCode !== 0) return
  const own = await ownPosition(context, connection, member)
  if (own !== null && !(await hasMore(context, own, primary))) return
  await stopServer(connection)
  const at = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  context.say(`what ${member.instance} has more than ${primary.instance} is kept in ${place.kept}${at}`)
  await shell(connection, `mv ${place.data} ${place.kept}${at}; rm -f ${place.whole}; sync -f ${place.root}`)
  await failpoint('kept.aside')
}

/** Directories with data that was put aside; a person removes them. */
export async function keptOn(connection: Connection): Promise<string[]> {
  const { stdout } = await connection.exec(['/bin/sh', '-c', `ls -d ${place.kept}* 2>/dev/null`])
  return stdout.split('\n').filter(Boolean)
}

/** Null where it is not known: a server that was killed wrote on behind its last checkpoint. */
async function ownPosition(context: StepContext, connection: Connection, member: Member): Promise<Position | null> {
  const [seen] = await lookAt(context.provider, [member])
  if (seen!.recovering !== null) return seen!.position
  const control = await readControlFile(connection).catch(() => null)
  return control?.state === 'shut down' ? control.checkpoint : null
}

/** Whether its log goes on where the primary's history has left it, or further than the primary. */
async function hasMore(context: StepContext, own: Position, primary: Member): Promise<boolean> {
  const [now] = await lookAt(context.provider, [primary])
  if (now!.recovering !== false) return true
  if (now!.position.timeline === own.timeline) return own.lsn > now!.position.lsn
  const connection = await context.provider.connect(primary.vm, null)
  try {
    const name = now!.position.timeline.toString(16).toUpperCase().padStart(8, '0')
    const history = await connection.read(`${place.data}/pg_wal/${name}.history`).catch(() => null)
    const left = history === null ? null : leftAt(history.toString(), own.timeline)
    return left === null || own.lsn > left
  } finally {
    connection.close()
  }
}

/** Where a history leaves a timeline, in bytes of the log; null where that one is no part of it. */
export function leftAt(history: string, timeline: number): number | null {
  for (const line of history.split('\n')) {
    const [number, lsn] = line.split('\t')
    if (lsn !== undefined && Number(number) === timeline) return lsnOf(lsn)
  }
  return null
}
