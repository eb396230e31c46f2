import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { PartName } from '../model/names.ts'
import { invalidInput, SourceDocument } from '../source/document.ts'

/** A list of names; nothing at all is an empty one. */
export const names = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? [])

/** A name of a job or a package: it becomes part of paths. */
export const name = z.string().pipe(PartName)

/** Bytes of one spec of a job or a package: ten times the largest one that is publicly known. */
export const longestSpec = 2 * 2 ** 20

/** Reads a spec; one that is too long is refused before it is read. Throws `invalid-input`. */
export async function readSpecFile(file: string): Promise<SourceDocument> {
  const { size } = await stat(file)
  if (size > longestSpec)
    throw invalidInput([{ file, message: 'is too long', found: `${size} bytes`, allowed: `${longestSpec} bytes` }])
  return new SourceDocument(file, await readFile(file, 'utf8'))
}
