import { RemodelError } from '../../../../../shared/errors.ts'
import type { Member } from '../../../../../shared/kinds/database.ts'
import { openSession } from '../../../../../shared/postgres/server.ts'
import type { Connection } from '../../../../../shared/provider/connection.ts'
import type { StepContext } from '../../step.ts'
import { owner, place } from './place.ts'
import { shell } from './shell.ts'

/** So much is held in memory at once. */
const chunkBytes = 32 * 1024 * 1024

/** Of no use to another server, or made anew by it. */
const leftOut = [
  'pg_wal/*',
  'pg_replslot/*',
  'pg_dynshmem/*',
  'pg_notify/*',
  'pg_serial/*',
  'pg_snapshots/*',
  'pg_stat_tmp/*',
  'pg_subtrans/*',
  'postmaster.*',
  'standby.signal',
  'recovery.signal',
  'node.conf',
  'backup_label*',
  '*pgsql_tmp*',
]

/**
 * A base backup: the data directory of a running primary, on another machine. Not whole before the write-ahead log since
 * `pg_backup_start` was read: a slot has to hold that. The backup ends with the session, whatever happens to this process.
 */
export async function copyData(context: StepContext, from: Member, to: Connection): Promise<void> {
  const { signal } = context
  const session = await openSession(from, 'postgres', { name: 'remodel copy' })
  const source = await context.provider.connect(from.vm, null)
  try {
    await shell(to, `rm -rf ${place.data} ${place.whole}; mkdir -p ${place.data}; chmod 0700 ${place.data}`)
    await session.query('SELECT pg_backup_start($1, true)', ['remodel'])
    const without = leftOut.map((pattern) => `! -path './${pattern}'`).join(' ')
    const list = (type: string) =>
      gather(source, `cd ${place.data} && find . -type ${type} ${without} -printf '%s\\t%P\\0'`, signal)
    const directories = entries(await list('d')).map(({ path }) => path)
    await shell(to, `cd ${place.data}; xargs -0r mkdir -p -m 0700 --`, { signal, stdin: directories.join('\0') })
    const files = entries(await list('f'))
    // pg_control comes last: it must not be older than any page.
    files.sort((a, b) => Number(a.path === 'global/pg_control') - Number(b.path === 'global/pg_control'))
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
    let done = 0
    for (const batch of batches(files)) {
      context.say(`copying ${Math.round((100 * done) / Math.max(1, total))} %`)
      const [first] = batch
      if (batch.length === 1 && first!.bytes > chunkBytes) await copyLarge(source, to, first!, signal)
      else await copySmall(source, to, batch, signal)
      done += batch.reduce((sum, { bytes }) => sum + bytes, 0)
    }
    const [label] = await session.query('SELECT labelfile FROM pg_backup_stop(false)')
    await to.write(`${place.data}/backup_label`, String(label!.labelfile), 0o600)
    await shell(
      to,
      `cd ${place.data}; mkdir -p pg_wal/archive_status pg_wal/summaries pg_replslot pg_dynshmem pg_notify pg_serial \
       pg_snapshots pg_stat pg_stat_tmp pg_subtrans pg_tblspc pg_twophase pg_commit_ts; chmod -R u+rwX,go= .; chown -R ${owner} ${place.root}; sync -f .`,
    )
  } finally {
    await session.close()
    source.close()
  }
}

interface File {
  path: string
  bytes: number
}

function entries(list: Buffer): File[] {
  return list
    .toString()
    .split('\0')
    .map((entry) => ({
      bytes: Number(entry.slice(0, entry.indexOf('\t'))),
      path: entry.slice(entry.indexOf('\t') + 1),
    }))
    .filter(({ path }) => path !== '')
}

function* batches(files: readonly File[]): Generator<File[]> {
  let batch: File[] = []
  let bytes = 0
  for (const file of files) {
    if (batch.length > 0 && bytes + file.bytes > chunkBytes) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(file)
    bytes += file.bytes
  }
  if (batch.length > 0) yield batch
}

/** Files may grow, shrink or go meanwhile: replaying the log makes that good. */
async function copySmall(from: Connection, to: Connection, files: readonly File[], signal: AbortSignal): Promise<void> {
  const names = files.map(({ path }) => path).join('\0')
  const tar = `cd ${place.data} && tar -c --null --no-recursion --ignore-failed-read -f - -T - 2>/dev/null || [ $? -eq 1 ]`
  await to.unpack(place.data, await gather(from, tar, signal, names))
}

async function copyLarge(from: Connection, to: Connection, file: File, signal: AbortSignal): Promise<void> {
  const mebibyte = 1024 * 1024
  const step = chunkBytes / mebibyte
  for (let at = 0; at * mebibyte < file.bytes; at += step) {
    const read = `dd if='${place.data}/${file.path}' bs=1M skip=${at} count=${step} iflag=fullblock status=none`
    const chunk = await gather(from, read, signal)
    const write = `dd of='${place.data}/${file.path}' bs=1M seek=${at} conv=notrunc iflag=fullblock status=none`
    await shell(to, write, { signal, stdin: chunk })
  }
}

/** All output of a command, where `exec` keeps only its ends. */
async function gather(from: Connection, script: string, signal: AbortSignal, stdin?: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  const result = await from.exec(['/bin/sh', '-c', script], {
    signal,
    ...(stdin === undefined ? {} : { stdin }),
    onOutput: (chunk, stream) => {
      if (stream === 'stdout') chunks.push(Buffer.from(chunk))
    },
  })
  if (result.exitCode === 0) return Buffer.concat(chunks)
  throw new RemodelError('infrastructure', `reading the data failed: ${result.stderr.trim()}`)
}
