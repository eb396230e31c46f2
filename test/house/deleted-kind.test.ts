import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, describe, expect, test } from 'vitest'
import { bearsName, goesWith, kinds } from './kinds.ts'
import { filesOf, root } from './sources.ts'

/**
 * A kind is a folder and a line. Without both, and without what tests it, types and lint are as before. With HOUSE=full
 * (`npm run house:full`, a minute more a kind) the tests of the other kinds run as well.
 */
const registry = 'kinds/built-in.ts'
const parts = ['bench', 'bin', 'cli', 'examples', 'kinds', 'script', 'services', 'shared', 'test']
const settings = ['.gitignore', 'biome.json', 'package.json', 'tsconfig.json', 'vitest.config.ts']
const isFull = process.env.HOUSE === 'full'
/** Nothing is decided by it: a compiler that hangs ends. */
const timeout = 1_200_000

const copies: string[] = []
afterAll(() => Promise.all(copies.map((copy) => rm(copy, { recursive: true, force: true }))))

async function copyWithout(kind: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), `remodel-without-${kind}-`))
  copies.push(copy)
  await Promise.all([...parts, ...settings].map((part) => cp(join(root, part), join(copy, part), { recursive: true })))
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  const lines = (await readFile(join(copy, registry), 'utf8')).split('\n')
  const others = lines.filter((line) => !line.includes(`'./${kind}/`))
  expect(lines.length - others.length, `lines of ${registry} that name ${kind}`).toBe(1)
  await writeFile(join(copy, registry), others.join('\n'))
  const gone = [join('kinds', kind), ...goesWith(kind)]
  await Promise.all(gone.map((path) => rm(join(copy, path), { recursive: true, force: true })))
  return copy
}

async function run(copy: string, command: string, ...args: string[]): Promise<string> {
  const options = { cwd: copy, preferLocal: true, localDir: root, reject: false, all: true } as const
  const { exitCode, all } = await execa(command, args, options)
  return exitCode === 0 ? 'passed' : all.slice(-8000)
}

describe.each(kinds)('without the folder and the line of kind %s', (kind) => {
  const copy = copyWithout(kind)
  const others = kinds.filter((one) => one !== kind)
  const tests = filesOf('test/**/*.test.ts').filter(
    (file) =>
      !file.startsWith('test/long/') &&
      !bearsName(kind, file) &&
      [...others, 'files', 'outside'].some((other) => bearsName(other, file)),
  )

  test('the types of everything else are right', { timeout }, async () => {
    expect(await run(await copy, 'tsc', '-p', '.')).toBe('passed')
  })

  test('everything else is free of faults of style', { timeout }, async () => {
    expect(await run(await copy, 'biome', 'lint', '--error-on-warnings', '.')).toBe('passed')
  })

  if (isFull) {
    test('the tests of the other kinds pass', { timeout }, async () => {
      expect(tests.length).toBeGreaterThan(2)
      expect(await run(await copy, 'vitest', 'run', '--project', 'unit', ...tests)).toBe('passed')
    })
  }
})
