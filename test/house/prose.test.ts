import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/**
 * Prose of pages, comments, errors, output and names of tests: a sentence names its subject (CONTRIBUTING.md), and a
 * line of prose has 120 columns at most. Code itself is the formatter's.
 */
const columns = 120

/** Words that stand for a subject that the sentence does not name. */
const vague = /\b(nobody|somebody|someone|whoever|whomever|everybody|what stands|(?:is|are|was|were|be) told)\b/i

/** Lines in which such a word is right. */
const allowed: readonly { file: string; text: string; because: string }[] = [
  { file: 'CONTRIBUTING.md', text: 'nobody, somebody', because: 'the rule itself' },
  { file: 'kinds/database/server/place.ts', text: '`nobody` on every Linux', because: 'the name of a user' },
]

const root = new URL('../..', import.meta.url).pathname
const own = /^test\/house\/prose\.test\.ts$/
const generated = /^docs\/use\/(commands|http-api|settings|document-keys)\.md$/
const pages = globSync(['*.md', '{docs,examples,test}/**/*.md'], { cwd: root }).filter((file) => !generated.test(file))
const sources = globSync(['{cli,kinds,services,shared,test,bench,script,examples}/**/*.{ts,lua,c,h,rb}'], {
  cwd: root,
}).filter((file) => !own.test(file))

const linesOf = (file: string) => readFileSync(join(root, file), 'utf8').split('\n')
const comment = { ts: /^\s*(\/\/|\/?\*)/, c: /^\s*(\/\/|\/?\*)/, h: /^\s*(\/\/|\/?\*)/, lua: /^\s*--/, rb: /^\s*#/ }

/** A table in a comment has columns of its own. */
const isTable = (line: string) => /\S {2,}\S/.test(line.replace(/^\s*(\/\/|\/?\*+|--|#)/, ''))

/** Lines of prose of a page: neither table, heading nor code. */
function prose(lines: readonly string[]): { at: number; line: string }[] {
  let code = false
  return lines.flatMap((line, index) => {
    if (line.trimStart().startsWith('```')) code = !code
    const skipped = code || /^(\s*```|\||#| {4})/.test(line)
    return skipped ? [] : [{ at: index + 1, line }]
  })
}

function isAllowed(file: string, line: string): boolean {
  return allowed.some((one) => one.file === file && line.includes(one.text))
}

test('sentences name their subject', () => {
  const found = [...pages, ...sources].flatMap((file) =>
    linesOf(file).flatMap((line, index) =>
      vague.test(line) && !isAllowed(file, line) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
    ),
  )
  expect(found).toEqual([])
})

test('every exception of these words is still needed', () => {
  const idle = allowed.filter(
    ({ file, text }) => !linesOf(file).some((line) => line.includes(text) && vague.test(line)),
  )
  expect(idle).toEqual([])
})

test('prose of pages is within 120 columns', () => {
  const wide = pages.flatMap((file) =>
    prose(linesOf(file)).flatMap(({ at, line }) => ([...line].length > columns ? [`${file}:${at}`] : [])),
  )
  expect(wide).toEqual([])
})

test('comments are within 120 columns', () => {
  const wide = sources.flatMap((file) => {
    const isComment = comment[file.split('.').at(-1) as keyof typeof comment]
    return linesOf(file).flatMap((line, index) =>
      isComment.test(line) && !isTable(line) && [...line].length > columns ? [`${file}:${index + 1}`] : [],
    )
  })
  expect(wide).toEqual([])
})
