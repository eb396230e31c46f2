import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { variablesOfKinds } from '../../kinds/variables.ts'
import { problemOf } from '../../services/planner/http/problem.ts'
import { Event } from '../../shared/api/schemas/event.ts'
import { type ErrorCode, RemodelError } from '../../shared/runtime/errors.ts'
import { numbers } from '../../shared/runtime/settings.ts'
import { texts } from '../../shared/runtime/text-settings.ts'
import { sabotages } from '../sabotage/sabotages.ts'
import { openKinds } from '../support/kinds.ts'
import { commandsPage } from './commands-page.ts'
import { keysPage } from './keys-page.ts'
import { settingsPage } from './settings-page.ts'

const root = new URL('../..', import.meta.url).pathname
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root })

test('docs/design/kinds.md shows the example kind as it is, and it is as short as the page says', () => {
  expect(read('examples/kinds/files.ts').trimEnd().split('\n').length).toBeLessThan(140)
  expect(read('docs/design/kinds.md')).toContain(`\`\`\`ts\n${read('examples/kinds/files.ts')}\`\`\``)
})

test('the example kind stays small', () => {
  expect(read('examples/kinds/files.ts').split('\n').length).toBeLessThanOrEqual(151)
})

test('every error code has a section', () => {
  const codes = [...read('shared/runtime/errors.ts').matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code]) => code)
  expect(codes.length).toBeGreaterThan(10)
  expect(codes.filter((code) => !read('docs/use/errors.md').includes(`\n## ${code}\n`))).toEqual([])
})

test('docs/use/errors.md has the status that each code is answered with', () => {
  const rows = [...read('docs/use/errors.md').matchAll(/^\| \[([a-z-]+)\]\(#[a-z-]+\) \| (\d+) \|/gm)]
  const answered = rows.map(([, code]) => [code, problemOf(new RemodelError(code as ErrorCode, '')).status])
  expect(rows.map(([, code, status]) => [code, Number(status)])).toEqual(answered)
  expect(rows.length).toBeGreaterThan(10)
})

test('docs/design/architecture.md has every script of the ledger', () => {
  const scripts = globSync('shared/ledger/lua/*.lua', { cwd: root }).map((file) => basename(file))
  expect(scripts.filter((script) => !read('docs/design/architecture.md').includes(`\`${script}\``))).toEqual([])
})

test('every type of event is described', () => {
  expect(Event.shape.type.options.filter((type) => !read('docs/use/events.md').includes(`| \`${type}\` |`))).toEqual([])
})

test('every guarantee has a sabotage, and every sabotage stands in the table', () => {
  const [text = '', table = ''] = read('docs/guarantees.md').split('## The sabotages')
  const row = ({ guarantee, name, caughtBy }: (typeof sabotages)[number]) =>
    `| ${guarantee} | ${name} | \`${caughtBy}\` |`
  expect(sabotages.filter((sabotage) => !table.includes(row(sabotage))).map(row)).toEqual([])
  expect(table.match(/^\| \d+ \| .* \| `test\/.*` \|$/gm)).toHaveLength(sabotages.length)
  const numbers = [...text.matchAll(/^\| (\d+) \| .* \| .* \| .* \|$/gm)].map(([, number]) => Number(number))
  expect(numbers.length).toBeGreaterThan(20)
  expect(numbers, 'each has its number').toEqual(numbers.map((_, at) => at + 1))
  expect(numbers.filter((number) => !sabotages.some(({ guarantee }) => guarantee === number))).toEqual([])
})

test('every sabotage changes a line that stands in its file exactly once', () => {
  const times = ({ file, find }: (typeof sabotages)[number]) => read(file).split(find).length - 1
  expect(sabotages.filter((sabotage) => times(sabotage) !== 1).map(({ name }) => name)).toEqual([])
})

test('every dependency is explained with its version', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'))
  const text = read('docs/design/dependencies.md')
  const missing = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([name, version]) =>
      !text.split('\n').some((line) => line.includes(`\`${name}\``) && line.includes(` ${version} `)),
  )
  expect(missing).toEqual([])
})

test('docs/use/settings.md has every variable as it is', async () => {
  await expect(settingsPage(await variablesOfKinds())).toMatchFileSnapshot('../../docs/use/settings.md')
})

test('docs/use/document-keys.md has every key as it is', async () => {
  await expect(keysPage()).toMatchFileSnapshot('../../docs/use/document-keys.md')
})

test('the keys that the board shows, or walks, are keys of documents', async () => {
  const paths = [...keysPage().matchAll(/^\| `([^`]+)`/gm)].flatMap(([, path]) => path!.split(/[.[\]]+/))
  const kinds = await openKinds()
  const readable = kinds.all.flatMap((kind) => kind.readable ?? [])
  expect(readable.length).toBeGreaterThan(0)
  expect(readable.flatMap(({ walked, shown }) => [...walked, ...shown]).filter((key) => !paths.includes(key))).toEqual(
    [],
  )
})

test('the variables of the settings are those that the code reads', async () => {
  const files = globSync(['cli/**/*.ts', 'kinds/**/*.ts', 'services/**/*.ts', 'shared/**/*.{ts,c}'], { cwd: root })
  const found = files.flatMap((file) => [
    ...read(file).matchAll(/(?:env\.|getenv\("|numberSetting\(')([A-Z]+_[A-Z_]+)/g),
  ])
  const names = found.map(([, name]) => name!)
  const tables = [{ numbers, texts }, ...(await variablesOfKinds())]
  const known = tables.flatMap((table) => [...Object.keys(table.numbers), ...Object.keys(table.texts)])
  expect(names.filter((name) => !known.includes(name))).toEqual([])
  const unread = known.filter((name) => texts[name]?.readBy !== 'tests' && !names.includes(name))
  expect(unread).toEqual([])
})

test('links and paths of the pages lead somewhere', () => {
  const broken = pages.flatMap((page) => {
    const text = read(page)
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, to]) =>
      join(dirname(page), to!),
    )
    const paths = [
      ...text.matchAll(/`((?:shared|kinds|services|cli|test|script|bench|examples|docs)\/[\w./-]+)`/g),
    ].map(([, to]) => to!)
    return [...links, ...paths].filter((to) => !existsSync(join(root, to))).map((to) => `${page}: ${to}`)
  })
  expect(broken).toEqual([])
})

test('docs/use/commands.md has every verb as it is', async () => {
  await expect(await commandsPage()).toMatchFileSnapshot('../../docs/use/commands.md')
})
