import type { Connection } from '../../../shared/provider/connection.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { openSession } from '../postgres/server.ts'
import { finishData, prepareData, readData, writePart } from './data.ts'

/**
 * A base backup: the data directory of a running primary, on another machine. Not whole before the write-ahead
 * log since `pg_backup_start` was read: a slot has to hold that. The backup ends with the session, whatever
 * happens to this process.
 */
export async function copyData(context: StepContext, from: Member, to: Connection): Promise<void> {
  const { signal } = context
  const session = await openSession(context.provider, from, 'postgres', { name: 'remodel copy' })
  const source = await context.provider.connect(from.vm, null)
  try {
    await session.query('SELECT pg_backup_start($1, true)', ['remodel'])
    const data = await readData(source, signal)
    await prepareData(to, data.directories, signal)
    for await (const { part, done } of data.parts()) {
      context.say(`copying ${Math.round((100 * done) / Math.max(1, data.bytes))} %`)
      await writePart(to, part, signal)
    }
    const [label] = await session.query('SELECT labelfile FROM pg_backup_stop(false)')
    await finishData(to, String(label!.labelfile))
  } finally {
    await session.close()
    source.close()
  }
}
