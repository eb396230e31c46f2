import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const page = readFileSync(join(root, 'docs/design/glossary.md'), 'utf8')
const [current = '', replaced = ''] = page.split('## Words that are not used any more')
const sources = globSync(['{cli,kinds,services,shared,test,bench}/**/*.{ts,lua,c,h,rb}'], { cwd: root })
  .filter((file) => file !== 'test/docs/glossary.test.ts')
  .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))

const rows = (text: string) =>
  [...text.matchAll(/^\|(.*)\|$/gm)]
    .map(([, cells]) => cells!.split(' | ').map((cell) => cell.trim()))
    .filter(([first]) => first !== 'word' && first !== 'instead of' && !first!.startsWith('---'))
const quoted = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
const isPath = (name: string) => name.includes('/')
const asWord = (name: string) => new RegExp(`(?<![\\w-])${name.replaceAll(/[^\w]/g, '\\$&')}(?![\\w-])`)

test('each word of the glossary has one meaning, and one row', () => {
  const words = rows(current).map(([word]) => word!)
  expect(words.length).toBeGreaterThan(40)
  expect(words.filter((word, at) => words.indexOf(word) !== at)).toEqual([])
})

test('each word of the glossary is used where its row says', () => {
  const missing = rows(current).flatMap(([word, , where]) => {
    const names = quoted(where!)
    if (names.length === 0) return [`${word}: no place in the code`]
    return names
      .filter((name) =>
        isPath(name) ? !existsSync(join(root, name)) : !sources.some(({ text }) => asWord(name).test(text)),
      )
      .map((name) => `${word}: ${name}`)
  })
  expect(missing).toEqual([])
})

test('words that were replaced are not used in the code', () => {
  const names = rows(replaced).flatMap(([word]) => quoted(word!))
  expect(names.length).toBeGreaterThan(0)
  const back = names.flatMap((name) =>
    sources.filter(({ text }) => asWord(name).test(text)).map(({ file }) => `${name}: ${file}`),
  )
  expect(back).toEqual([])
})
