import type { Fault } from '../../../../shared/runtime/errors.ts'
import type { SourceDocument } from '../../../../shared/source/document.ts'
import { librariesIn, needsPreload } from '../../postgres/preload.ts'
import type { Document } from '../schema.ts'
import { textsOf } from './text.ts'

/** What is wrong with the extensions whatever PostgreSQL there is. Pure. */
export function extensionFaults(document: SourceDocument, { extensions, nodes, postgresql_conf }: Document): Fault[] {
  const shared = textsOf(document, ['postgresql_conf'], postgresql_conf)
  const librariesOf = (at: number) => {
    const texts = { ...shared, ...textsOf(document, ['nodes', at, 'postgresql_conf'], nodes[at]!.postgresql_conf) }
    const [, value = ''] =
      Object.entries(texts).findLast(([name]) => name.toLowerCase() === 'shared_preload_libraries') ?? []
    return librariesIn(value)
  }
  return extensions.flatMap((name, at): Fault[] => {
    const fault = (message: string) => [document.fault(['extensions', at], message)]
    if (name === 'plpgsql') return fault('every database has it: leave it out')
    if (extensions.indexOf(name) !== at) return fault(`extension ${name} is named twice: take one of them out`)
    const without = nodes.flatMap((node, index) => (librariesOf(index).includes(name) ? [] : [node.name]))
    if (!needsPreload(name) || without.length === 0) return []
    const way = `add \`shared_preload_libraries: ${name}\` to postgresql_conf, for which each server restarts once`
    return fault(`${name} works only where servers load it at their start, and ${without.join(', ')} would not: ${way}`)
  })
}
