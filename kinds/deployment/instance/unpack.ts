import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import type { Connection } from '../../../shared/provider/connection.ts'
import { shell } from '../../contract/shell.ts'

/**
 * Unpacks an archive to a directory that is there whole or not at all; `settle` is a script that has its path as `$1`.
 */
export async function unpackOnce(
  connection: Connection,
  directory: string,
  archive: () => Promise<Readable | Uint8Array>,
  settle?: string,
): Promise<boolean> {
  const there = await connection.exec(['test', '-d', directory])
  if (there.exitCode === 0) return false
  const partial = posix.join(posix.dirname(directory), `.${posix.basename(directory)}.partial`)
  await shell(connection, 'rm -rf "$1"; mkdir -p "$1"', [partial])
  await connection.unpack(partial, await archive())
  if (settle !== undefined) await shell(connection, settle, [partial])
  await shell(connection, 'mv -T "$1" "$2"', [partial, directory])
  return true
}
