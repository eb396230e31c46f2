import { readFile, stat } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { PartName } from '../model/names.ts'
import { invalidInput, SourceDocument } from '../source/document.ts'

/** A scalar where a name is wanted: BOSH reads `1` and `true` as text there. */
export const text = z.preprocess(
  (value) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value),
  z.string(),
)

/** A list of names; nothing at all is an empty one. */
export const names = z
  .array(text)
  .nullish()
  .transform((list) => list ?? [])

/** A name of a job or a package: it becomes part of paths. */
export const name = text.pipe(PartName)

/** Bytes of one spec of a job or a package: ten times the largest one that is publicly known. */
export const longestSpec = 2 * 2 ** 20

/** Reads a spec; one that is too long is refused before it is read. Throws `invalid-input`. */
export async function readSpecFile(file: string): Promise<SourceDocument> {
  const { size } = await stat(file)
  if (size > longestSpec)
    throw invalidInput([{ file, message: 'is too long', found: `${size} bytes`, allowed: `${longestSpec} bytes` }])
  return new SourceDocument(file, await readFile(file, 'utf8'))
}

/**
 * YAML 1.1, as the director's YAML library has it: `yes` is true, `0755` is 493. Dates stay text, since a plan carries JSON
 * only.
 */
export function parseYaml11(source: string): unknown {
  return parse(source, {
    version: '1.1',
    merge: true,
    uniqueKeys: false,
    maxAliasCount: 1000,
    customTags: (tags) =>
      tags.filter((tag) => typeof tag === 'string' || !/:(timestamp|binary|set|omap|pairs)$/.test(tag.tag)),
  })
}

/** Every scalar as it is written: a version `1.10` is not the number 1.1, and a digest is not a number either. */
export function parseAsWritten(source: string): unknown {
  return parse(source, { schema: 'failsafe', uniqueKeys: false, maxAliasCount: 1000 })
}
