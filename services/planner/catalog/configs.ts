import type { KindRegistry } from '../../../kinds/registry.ts'
import { Name } from '../../../shared/model/names.ts'
import type { Fault } from '../../../shared/runtime/errors.ts'
import { invalidInput, type SourceDocument } from '../../../shared/source/document.ts'
import { readDocument } from '../../../shared/source/reading.ts'
import { type Catalog, type Config, documentsOf } from './catalog.ts'

/**
 * Stores a config. Refused (`invalid-input`) where plans would be refused because of it: cloud configs are looked at
 * together, as plans use them, by every kind. Faults of those that are there already keep no better one out.
 */
export async function takeConfig(
  config: Config,
  { catalog, kinds }: { catalog: Catalog; kinds: KindRegistry },
): Promise<void> {
  const file = `${config.type}-config ${config.name}`
  const wrong = Name.safeParse(config.name).error?.issues[0]
  if (wrong) throw invalidInput([{ file, path: 'name', message: wrong.message }])
  const document = await readDocument(file, config.content)
  const { value } = document
  if (value === null || typeof value !== 'object' || Array.isArray(value) || Object.keys(value).length === 0)
    throw invalidInput([document.fault([], `is no ${config.type} config: it has none of its keys`)])
  if (config.type === 'cloud') {
    const before = await documentsOf(await catalog.configs(), 'cloud')
    const known = new Set(kinds.checkClouds(before).map(textOf))
    const after = [...before.filter((one) => one.file !== file), document].sort(byFile)
    const faults = kinds.checkClouds(after).filter((fault) => !known.has(textOf(fault)))
    if (faults.length > 0) throw invalidInput(faults)
  }
  await catalog.putConfig(config)
}

/** Without the line, which changes with the lines above. */
function textOf({ file, path, message, found }: Fault): string {
  return JSON.stringify([file, path, message, found])
}

function byFile(a: SourceDocument, b: SourceDocument): number {
  return a.file < b.file ? -1 : 1
}
