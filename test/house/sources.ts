import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { parseSync } from 'oxc-parser'

export const root = new URL('../..', import.meta.url).pathname

export interface Import {
  /** A path below the project's root, or a package's name. */
  target: string
  /** A file of the project. */
  own: boolean
  /** Erased before the program runs. */
  typeOnly: boolean
}

export interface Source {
  file: string
  text: string
  imports: readonly Import[]
  comments: readonly Span[]
}

/** A comment, with its position in the text. */
export interface Span {
  start: number
  end: number
}

const known = new Map<string, Source>()

/** A source with its imports and comments, as the parser sees them. */
export function sourceOf(file: string): Source {
  const source = known.get(file) ?? parse(file)
  known.set(file, source)
  return source
}

/** Paths below the project's root. */
export function filesOf(...patterns: string[]): string[] {
  return globSync(patterns, { cwd: root, exclude: (name) => name === 'node_modules' }).sort()
}

function parse(file: string): Source {
  const text = readFileSync(join(root, file), 'utf8')
  const { module, comments } = parseSync(file, text)
  const found = [
    ...module.staticImports.map(({ moduleRequest, entries }) => ({
      name: moduleRequest.value,
      typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
    })),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) =>
        moduleRequest ? [{ name: moduleRequest.value, typeOnly: isType }] : [],
      ),
    ),
    ...module.dynamicImports.flatMap(({ moduleRequest: { start, end } }) => {
      const [, name] = /^'([^']+)'$/.exec(text.slice(start, end)) ?? []
      return name === undefined ? [] : [{ name, typeOnly: false }]
    }),
  ]
  const imports = found.map(({ name, typeOnly }): Import => {
    const own = name.startsWith('.')
    return { own, target: own ? normalize(join(dirname(file), name)) : name, typeOnly }
  })
  return { file, text, imports, comments }
}

/**
 * What a file loads when it is loaded, itself included: file or package -> the file that imports it. `within`: only
 * such files of the project are followed, the others are named. With `types` also what only the type check reads.
 */
export function loadedBy(
  file: string,
  within: (file: string) => boolean = () => true,
  { types = false }: { types?: boolean } = {},
): Map<string, string | null> {
  const loaded = new Map<string, string | null>([[file, null]])
  for (const [name] of loaded) {
    if (!name.endsWith('.ts') || !within(name) || !existsSync(join(root, name))) continue
    for (const { target, typeOnly } of sourceOf(name).imports) {
      if ((types || !typeOnly) && !loaded.has(target)) loaded.set(target, name)
    }
  }
  return loaded
}

/** The chain of imports from a file to something that it loads: `a.ts > b.ts > pg`. */
export function chainTo(target: string, loaded: ReadonlyMap<string, string | null>): string {
  const chain: string[] = []
  for (let at: string | null | undefined = target; at; at = loaded.get(at)) chain.unshift(at)
  return chain.join(' > ')
}
