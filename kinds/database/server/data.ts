import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { owner, place } from './place.ts'
import { shell } from './shell.ts'

/** Bytes that are held in memory at once. */
const chunkBytes = 32 * 1024 * 1024
const mebibyte = 1024 * 1024

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

/** What is read of the data directory that it is run in: bytes and path of each entry, which ends with NUL. */
export function listing(type: 'd' | 'f'): string {
  const without = leftOut.map((pattern) => `! -path './${pattern}'`).join(' ')
  return `find . -type ${type} ${without} -printf '%s\\t%P\\0'`
}

/** A part of a data directory: an archive of whole files, or a piece of one large file. */
export interface DataPart {
  content: Buffer
  piece?: { path: string; atMiB: number }
}

/** What there is to read of a data directory, between `pg_backup_start` and `pg_backup_stop`. */
export interface Data {
  directories: string[]
  bytes: number
  /** `done`: bytes read before this part. */
  parts(): AsyncGenerator<{ part: DataPart; done: number }>
}

/** Files may grow, shrink or go meanwhile: replaying the log makes that good. */
export async function readData(from: Connection, signal: AbortSignal): Promise<Data> {
  const list = (type: 'd' | 'f') => gather(from, `cd ${place.data} && ${listing(type)}`, signal)
  const directories = entries(await list('d')).map(({ path }) => path)
  const files = entries(await list('f'))
  // pg_control comes last: it must not be older than any page.
  files.sort((a, b) => Number(a.path === 'global/pg_control') - Number(b.path === 'global/pg_control'))
  return {
    directories,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    async *parts() {
      let done = 0
      for (const batch of batches(files)) {
        const [first] = batch
        if (batch.length === 1 && first!.bytes > chunkBytes) {
          const step = chunkBytes / mebibyte
          for (let at = 0; at * mebibyte < first!.bytes; at += step) {
            const read = `dd if='${place.data}/${first!.path}' bs=1M skip=${at} count=${step} iflag=fullblock status=none`
            yield { part: { content: await gather(from, read, signal), piece: { path: first!.path, atMiB: at } }, done }
            done += Math.min(chunkBytes, first!.bytes - at * mebibyte)
          }
          continue
        }
        yield { part: { content: await packed(from, batch, signal) }, done }
        done += batch.reduce((sum, { bytes }) => sum + bytes, 0)
      }
    },
  }
}

/** An empty data directory with these directories in it. */
export async function prepareData(to: Connection, directories: readonly string[], signal: AbortSignal): Promise<void> {
  await shell(to, `rm -rf ${place.data} ${place.whole}; mkdir -p ${place.data}; chmod 0700 ${place.data}`)
  await shell(to, `cd ${place.data}; xargs -0r mkdir -p -m 0700 --`, { signal, stdin: directories.join('\0') })
}

export async function writePart(to: Connection, { content, piece }: DataPart, signal: AbortSignal): Promise<void> {
  if (piece === undefined) return to.unpack(place.data, content)
  const write = `dd of='${place.data}/${piece.path}' bs=1M seek=${piece.atMiB} conv=notrunc iflag=fullblock status=none`
  await shell(to, write, { signal, stdin: content })
}

/** The data directory is complete but for the log. */
export async function finishData(to: Connection, label: string): Promise<void> {
  await to.write(`${place.data}/backup_label`, label, 0o600)
  await shell(
    to,
    `cd ${place.data}; mkdir -p pg_wal/archive_status pg_wal/summaries pg_replslot pg_dynshmem pg_notify pg_serial \
     pg_snapshots pg_stat pg_stat_tmp pg_subtrans pg_tblspc pg_twophase pg_commit_ts; chmod -R u+rwX,go= .; chown -R ${owner} ${place.root}; sync -f .`,
  )
}

/** All output of a command, where `exec` keeps only its ends. */
export async function gather(from: Connection, script: string, signal: AbortSignal, stdin?: string): Promise<Buffer> {
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

function packed(from: Connection, files: readonly File[], signal: AbortSignal): Promise<Buffer> {
  const names = files.map(({ path }) => path).join('\0')
  const tar = `cd ${place.data} && tar -c --null --no-recursion --ignore-failed-read -f - -T - 2>/dev/null || [ $? -eq 1 ]`
  return gather(from, tar, signal, names)
}
