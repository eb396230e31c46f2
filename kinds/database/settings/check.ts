import type { Fault } from '../../../shared/runtime/errors.ts'
import { invalidInput, type Path, type SourceDocument, suggest } from '../../../shared/source/document.ts'
import { Document } from '../plan/schema.ts'
import { textsOf } from '../plan/settings/text.ts'
import { absentExtensions } from './absent.ts'
import { judge, knownSettings } from './judge.ts'

/**
 * Throws `invalid-input` with the place of every extension and setting that PostgreSQL does not have, and of
 * every value it refuses.
 */
export async function checkSettings(document: SourceDocument): Promise<void> {
  const value = document.parse(Document)
  const { postgresql_conf, nodes } = value
  const asked: { path: Path; settings: Record<string, string | number | boolean> }[] = [
    { path: ['postgresql_conf'], settings: postgresql_conf },
    ...nodes.map((node, at) => ({ path: ['nodes', at, 'postgresql_conf'], settings: node.postgresql_conf })),
  ]
  const faults: Fault[] = absentExtensions(document, value)
  for (const { path, settings } of asked) {
    const texts = textsOf(document, path, settings)
    if (Object.keys(texts).length === 0) continue
    for (const { setting, message } of await judge(texts)) {
      const key = Object.keys(texts).find((name) => name.toLowerCase() === setting?.toLowerCase())
      const unknown = key !== undefined && message.startsWith('unrecognized')
      const found = key !== undefined && !unknown ? { found: texts[key] as string } : {}
      const near = unknown ? suggest(key, await knownSettings()) : {}
      faults.push(
        document.fault(key === undefined ? path : [...path, key], `PostgreSQL refuses it: ${message}`, {
          ...found,
          ...near,
        }),
      )
    }
  }
  if (faults.length > 0) throw invalidInput(faults)
}
