import { z } from 'zod'
import { Name, PartName, VersionName } from '../model/names.ts'
import type { Fault } from '../runtime/errors.ts'
import { invalidInput } from '../source/document.ts'
import { schemaWords } from '../source/schema-words.ts'
import type { Release, Stemcell } from './release.ts'

const part = z.looseObject({ name: PartName })
const parts = z.array(part).superRefine((list, context) => {
  const first = new Map<string, number>()
  for (const [index, { name }] of list.entries()) {
    const other = first.get(name)
    if (other === undefined) first.set(name, index)
    else
      context.addIssue({
        code: 'custom',
        path: [index, 'name'],
        message: `the name is that of number ${other} as well`,
      })
  }
})
/** A package may be there compiled for several stemcells. */
const compiled = z.array(part.extend({ stemcell: z.string() })).superRefine((list, context) => {
  const seen = new Set<string>()
  for (const [index, { name, stemcell }] of list.entries()) {
    const id = `${name} ${stemcell}`
    if (seen.has(id))
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `is there twice for ${stemcell}` })
    seen.add(id)
  }
})
const CheckedRelease = z.looseObject({
  name: Name,
  version: VersionName,
  packages: parts,
  jobs: parts,
  compiledPackages: compiled.optional(),
})
const CheckedStemcell = z.looseObject({ name: Name, os: Name, version: VersionName })

/**
 * What the catalog takes in, whichever way it comes: names that can be files, hosts and words on a terminal, each once.
 * What the catalog has already is not looked at again. Throws `invalid-input`.
 */
export function checkRelease(release: Release): void {
  refuseFaults(CheckedRelease, release, `release ${shown(release.name)}`)
}

export function checkStemcell(stemcell: Stemcell): void {
  refuseFaults(CheckedStemcell, stemcell, `stemcell ${shown(stemcell.name)}`)
}

function refuseFaults(schema: z.ZodType, value: unknown, file: string): void {
  const { error } = schema.safeParse(value, { reportInput: true, error: schemaWords })
  if (!error) return
  throw invalidInput(
    error.issues.map(({ path, message, input }): Fault => {
      const found = typeof input === 'string' ? { found: shown(input) } : {}
      return { file, path: path.join('.'), message, ...found }
    }),
  )
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}
