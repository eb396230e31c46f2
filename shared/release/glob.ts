import { posix } from 'node:path'

/** Tells whether a path below the root matches. `dangling`: a link whose target does not exist. */
export type Glob = (path: string, dangling: boolean) => boolean

/**
 * The pattern language of package specs: `*` and `?` within one name (dot files too), `**` for any number of
 * directories, `[a-z]` and `[^a]` (never `[!a]`), `{a,b}` nested and with slashes, `\` escapes. No general glob
 * library agrees with it in all of these, and another selection of files would be another fingerprint. Rule:
 * doublestar 1.3, as bosh-cli uses it.
 *
 * Returns a sentence fragment where the pattern is malformed or leads outside of the root.
 */
export function compileGlob(pattern: string): Glob | { problem: string } {
  const cleaned = clean(pattern)
  if (cleaned === null) return { problem: 'the pattern leads outside of src and blobs' }
  try {
    const alternatives = expandBraces(cleaned).map((text) => ({
      regex: new RegExp(`^${translate(text)}$`, 'us'),
      trailing: text === '**' || text.endsWith('/**'),
    }))
    return (path, dangling) => alternatives.some((one) => !(dangling && one.trailing) && one.regex.test(path))
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError) return { problem: 'the pattern is malformed' }
    throw error
  }
}

class Malformed extends Error {}

/** `./a`, `a//b` and `a/../b` are cleaned by text alone, before anything is looked up. */
function clean(pattern: string): string | null {
  const joined = posix.join('/root/leaf', pattern).replace(/\/$/, '')
  return joined.startsWith('/root/leaf/') ? joined.slice('/root/leaf/'.length) : joined === '/root/leaf' ? '' : null
}

/** `{a,b/{c,d}}e` -> all alternatives as texts of their own. */
function expandBraces(pattern: string): string[] {
  const open = firstBrace(pattern)
  if (open === -1) return [pattern]
  const options: string[] = []
  let depth = 1
  let start = open + 1
  let at = start
  for (; depth > 0; at++) {
    const char = pattern[at]
    if (char === undefined) throw new Malformed()
    if (char === '\\') at++
    else if (char === '{') depth++
    else if (char === '}' && --depth === 0) options.push(pattern.slice(start, at))
    else if (char === ',' && depth === 1) {
      options.push(pattern.slice(start, at))
      start = at + 1
    }
  }
  const head = pattern.slice(0, open)
  const rest = pattern.slice(at)
  // A `**` that a brace puts at the start of a name is an ordinary star there.
  return options.flatMap((option) => expandBraces(head + `${option}${rest}`.replace(/^\*\*+/, '*')))
}

function firstBrace(pattern: string): number {
  let inClass = false
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]
    if (char === '\\') at++
    else if (char === '{' && !inClass) return at
    else if (char === '[') inClass = true
    else if (char === ']') inClass = false
  }
  return -1
}

function translate(pattern: string): string {
  const names = pattern.split('/')
  return names
    .map((name, index) => {
      const last = index === names.length - 1
      if (name === '**') return last ? '.+' : '(?:[^/]+/)*'
      return translateName(name) + (last ? '' : '/')
    })
    .join('')
}

function translateName(name: string): string {
  let out = ''
  for (let at = 0; at < name.length; ) {
    const char = String.fromCodePoint(name.codePointAt(at)!)
    at += char.length
    if (char === '*') out += '[^/]*'
    else if (char === '?') out += '[^/]'
    else if (char === '\\') {
      const escaped = name.codePointAt(at)
      if (escaped === undefined) throw new Malformed()
      out += literal(String.fromCodePoint(escaped))
      at += String.fromCodePoint(escaped).length
    } else if (char === '[') {
      const body = /^(?:\\.|[^\\\]])+(?=\])/su.exec(name.slice(at))?.[0]
      if (body === undefined) throw new Malformed()
      out += translateClass(body)
      at += body.length + 1
    } else out += literal(char)
  }
  return out
}

function translateClass(body: string): string {
  const negated = body.startsWith('^')
  const runes = [...(negated ? body.slice(1) : body)]
  const next = (): string => {
    const rune = runes.shift()
    if (rune === undefined || rune === '-') throw new Malformed()
    if (rune !== '\\') return rune
    const escaped = runes.shift()
    if (escaped === undefined) throw new Malformed()
    return escaped
  }
  let ranges = ''
  while (runes.length > 0) {
    const low = next()
    if (runes[0] !== '-') ranges += literal(low)
    else {
      runes.shift()
      const high = next()
      // An empty range matches nothing; a regular expression would refuse it.
      if (low.codePointAt(0)! <= high.codePointAt(0)!) ranges += `${literal(low)}-${literal(high)}`
    }
  }
  return negated ? `(?!/)[^${ranges}]` : ranges === '' ? '(?!)' : `[${ranges}]`
}

/** By code point, so that nothing is special to the regular expression. */
function literal(char: string): string {
  return `\\u{${char.codePointAt(0)!.toString(16)}}`
}
