import { createHash } from 'node:crypto'
import { byteOrder } from './fingerprint.ts'

export interface PackageKeyInput {
  name: string
  fingerprint: string
  /** Keys of the direct dependencies; each covers its own, so the key covers all of them. */
  dependencyKeys: readonly string[]
  stemcell: { os: string; version: string }
}

/**
 * Names the compiled form of a package: 64 hex digits. Two packages have one key exactly if compiling them gives the
 * same thing: same name (scripts see it), same fingerprint, same compiled dependencies, same stemcell. Neither release
 * nor deployment is in it, so equal content is compiled once, wherever it is declared. Pure.
 *
 * It is the sha256 of the JSON text
 * `["remodel-package-1",name,fingerprint,os,version,[keys, each once, in byte order]]` without white space; JSON quotes
 * its strings, so no two inputs run into each other.
 */
export function packageKey(input: PackageKeyInput): string {
  const keys = [...new Set(input.dependencyKeys)].sort(byteOrder)
  const text = JSON.stringify([
    'remodel-package-1',
    input.name,
    input.fingerprint,
    input.stemcell.os,
    input.stemcell.version,
    keys,
  ])
  return createHash('sha256').update(text).digest('hex')
}
