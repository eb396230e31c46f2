import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { postgresBinaries } from './binaries.ts'

/**
 * What the PostgreSQL of this machine can make in a database; null where its control files are not
 * found: a server will say.
 */
export function extensionsHere(): string[] | null {
  const binaries = realpathSync(postgresBinaries())
  const version = /\/postgresql\/(\d+)\/bin$/.exec(binaries)?.[1]
  const places = [
    join(dirname(binaries), 'share', 'extension'),
    join(dirname(binaries), 'share', 'postgresql', 'extension'),
    ...(version === undefined ? [] : [`/usr/share/postgresql/${version}/extension`]),
  ]
  const found = places.find((place) => existsSync(place))
  if (found === undefined) return null
  return readdirSync(found).flatMap((file) => (file.endsWith('.control') ? [file.slice(0, -'.control'.length)] : []))
}
