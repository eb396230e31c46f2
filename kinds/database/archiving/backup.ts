import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Backup, Part } from '../archive/chain.ts'
import type { Member } from '../inputs.ts'
import { openSession } from '../postgres/server.ts'
import { readData } from '../server/data.ts'

const pack = promisify(gzip)

/**
 * Copies the data of a primary into the blobstore while it is written to. Of use only with the log from `start` to
 * `stop`. A backup that is cut off leaves blobs that no record names, which a clean-up takes away; the server ends the
 * backup with the session.
 */
export async function copyToBlobs(
  context: StepContext,
  of: { node: string; primary: Member; database: string },
): Promise<Omit<Backup, 'line'>> {
  const { signal, blobs } = context
  const session = await openSession(context.provider, of.primary, 'postgres', { name: 'remodel backup' })
  const source = await context.provider.connect(of.primary.vm, null)
  try {
    const startedAt = await clock(session)
    const start = String(await session.value(`SELECT pg_walfile_name(pg_backup_start('remodel', true))`))
    await failpoint('back-up-node.started')
    const data = await readData(source, signal)
    const directories = await blobs.put(Buffer.from(data.directories.join('\0')))
    const parts: Part[] = []
    let bytes = directories.size
    for await (const { part, done } of data.parts()) {
      context.say(`copying ${of.primary.instance}: ${Math.round((100 * done) / Math.max(1, data.bytes))} %`)
      const put = await blobs.put(await pack(part.content, { level: 1 }))
      parts.push({ digest: put.digest, ...(part.piece ? { piece: part.piece } : {}) })
      bytes += put.size
    }
    await failpoint('back-up-node.copied')
    const [stopped] = await session.query('SELECT lsn::text, labelfile FROM pg_backup_stop(false)')
    const finishedAt = await clock(session)
    const nextXid = String(await session.value('SELECT pg_snapshot_xmax(pg_current_snapshot())::text'))
    return {
      id: `${of.node}-${new Date(finishedAt).toISOString().replace(/\D/g, '').slice(0, 14)}-${context.fence.number}`,
      node: of.node,
      database: of.database,
      startedAt,
      finishedAt,
      start,
      stop: String(stopped!.lsn),
      nextXid,
      label: String(stopped!.labelfile),
      directories: directories.digest,
      parts,
      dataBytes: data.bytes,
      bytes,
    }
  } finally {
    await session.close()
    source.close()
  }
}

async function clock(session: Awaited<ReturnType<typeof openSession>>): Promise<number> {
  return Number(await session.value('SELECT ceil(extract(epoch FROM clock_timestamp()) * 1000)::text'))
}
