import type { Fault } from '../../../shared/runtime/errors.ts'
import { type SourceDocument, suggest } from '../../../shared/source/document.ts'
import type { Document } from '../plan/schema.ts'
import { extensionsHere } from '../postgres/extensions.ts'

/** Extensions that this PostgreSQL does not have, each at its line. */
export function absentExtensions(document: SourceDocument, { extensions }: Document): Fault[] {
  const here = extensionsHere()
  if (here === null) return []
  return extensions.flatMap((name, at) =>
    here.includes(name)
      ? []
      : [
          document.fault(['extensions', at], `the PostgreSQL that Remodel uses has no extension ${name}`, {
            ...suggest(name, here),
            allowed: here.toSorted().join(', '),
          }),
        ],
  )
}
