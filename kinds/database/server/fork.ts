import { z } from 'zod'
import type { Connection } from '../../../shared/provider/connection.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import { forkLine, lineAt, newLine, type ReadLine } from '../archiving/line.ts'
import type { Member, Members } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import type { Position } from '../postgres/position.ts'
import { literal } from '../postgres/server.ts'
import { goOnInFork, lineIn, remarkOf, stopReading } from './kept-place.ts'
import { place } from './place.ts'
import { findPrimary, onPrimary } from './primary.ts'
import { shell } from './shell.ts'
import { dropSlot } from './slots.ts'

/**
 * A server takes over that may not have all of its node's log. Other nodes may have read more than it has: it writes
 * those positions of the log anew, and as PostgreSQL goes by the position alone, they would skip what it writes up to
 * there, and its slots would go there with them. So its data forks into another line (`archiving/line.ts`), and each
 * reader goes on from where the two part.
 *
 *   (none)  -- the heir has a note of the line that it begins -->
 *   noted   No reader that answers reads any more. -- the heir is promoted -->
 *   turned  -- the line, and where it begins, is in its data -->
 *   forked  Each reader goes on in the line. The slot of one that does not answer is dropped, and of one that came in
 *           between: what that misses shows. -->
 *   (none)
 */
export interface Readers {
  node: string
  database: string
  /** Node -> its servers. */
  readers: Members
}

const Note = z.object({ line: z.string(), timeline: z.number() })

async function readNote(connection: Connection): Promise<z.infer<typeof Note> | null> {
  const text = await connection.read(place.forking).catch(() => null)
  return text && Note.parse(JSON.parse(text.toString()))
}

/** A note of an attempt that was given up says nothing of how the server becomes the primary now. */
export async function forgetFork(connection: Connection): Promise<void> {
  await shell(connection, `rm -f ${place.forking}`)
}

/** Ahead of the promotion. */
export async function prepareFork(
  context: StepContext,
  connection: Connection,
  { node, database, readers }: Readers,
  { whole, position: { timeline } }: { whole: boolean; position: Position },
): Promise<void> {
  if (whole) return forgetFork(connection)
  const known = await readNote(connection)
  if (known?.timeline !== timeline) {
    await connection.write(place.forking, JSON.stringify({ line: newLine(), timeline }))
  }
  await failpoint('fork.noted')
  for (const [reader, members] of Object.entries(readers)) {
    if ((await findPrimary(context.provider, members)) === null) continue
    await onPrimary(context, members, database, (session) =>
      stopReading(session, linkName(node, reader), context.signal),
    )
  }
  await failpoint('fork.held')
}

/**
 * What was noted is in the data of the new primary: a step that has a reader go on does this before, as the attempt
 * that noted it may have been given up. False: the note is of another promotion; null: there is none.
 */
export async function beginFork(
  context: StepContext,
  connection: Connection,
  primary: Member,
): Promise<boolean | null> {
  const note = await readNote(connection)
  if (note === null) return null
  const forked = await onPrimary(context, [primary], 'postgres', (session) => forkLine(session, note))
  await failpoint('fork.begun')
  return forked
}

/** Behind the promotion, and where an attempt before this one was cut off behind it. */
export async function completeFork(
  context: StepContext,
  connection: Connection,
  primary: Member,
  { node, database, readers }: Readers,
): Promise<void> {
  const forked = await beginFork(context, connection, primary)
  if (forked === null) return
  if (!forked) return forgetFork(connection)
  const line = await lineAt(context, [primary])
  for (const [reader, members] of Object.entries(readers)) {
    if (await takeBack(context, { primary, members, database, line, name: linkName(node, reader) })) continue
    context.say(`${reader} may have read what ${primary.instance} has not, and cannot be taken back: its slot goes`)
    await onPrimary(context, [primary], database, (session) =>
      dropSlot(session, linkName(node, reader), context.signal),
    )
  }
  await forgetFork(connection)
  await failpoint('fork.completed')
}

interface Reader {
  primary: Member
  members: readonly Member[]
  database: string
  line: ReadLine
  /** Of its subscription and its slot. */
  name: string
}

/**
 * False where the reader does not answer, or came to the new primary before it was held: its slot is where it cannot
 * go back from.
 */
async function takeBack(context: StepContext, { primary, members, database, line, name }: Reader): Promise<boolean> {
  if ((await findPrimary(context.provider, members)) === null) return false
  const [before, until] = [...line.before].at(-1) ?? []
  return onPrimary(context, members, database, async (session) => {
    const [known] = await session.query(
      `SELECT obj_description(oid, 'pg_subscription') AS comment FROM pg_subscription WHERE subname = $1`,
      [name],
    )
    if (!known) return true
    const reads = lineIn(known.comment)
    if (reads !== line.name) {
      const sql = 'SELECT 1 FROM pg_replication_slots WHERE slot_name = $1 AND confirmed_flush_lsn > $2::pg_lsn'
      const ahead = await onPrimary(context, [primary], database, (there) => there.value(sql, [name, until]))
      if (ahead !== null) return false
      // One from before subscriptions said what they read has read what was there.
      if (reads === null) await session.query(`COMMENT ON SUBSCRIPTION ${name} IS ${literal(remarkOf(String(before)))}`)
      await goOnInFork(session, name, line, context.signal)
    }
    await failpoint('fork.taken-back')
    await session.query(`ALTER SUBSCRIPTION ${name} ENABLE`)
    return true
  })
}
