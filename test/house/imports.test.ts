import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listFailpoints } from '../chaos/failpoints.ts'

/** Who may import whom (docs/architecture.md). */

interface Import {
  file: string
  /** A path below the project's root, or a package's name. */
  target: string
  own: boolean
}

const root = new URL('../..', import.meta.url).pathname
const files = globSync(['shared/**/*.ts', 'services/**/*.ts', 'cli/**/*.ts'], { cwd: root })
const imports: Import[] = files.flatMap((file) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/(?:from\s+|import\(\s*|^import\s+)'([^']+)'/gm)].map(
    ([, name]) => {
      const own = name!.startsWith('.')
      return { file, own, target: own ? normalize(join(dirname(file), name!)) : name! }
    },
  ),
)
const own = imports.filter((one) => one.own)

/** What of the planner the CLI may use: the API's schemas, and what needs no planner: offline planning, pure operations. */
const openToCli = [
  'services/planner/api/schema.ts',
  'services/planner/offline.ts',
  'services/planner/kinds/database/operations/command.ts',
]

/** Parts that decide: no I/O, no clock, no random of their own. */
const pure = [
  /^shared\/model\//,
  /^services\/planner\/foreman\//,
  /^services\/planner\/kinds\/[^/]+\/(architect|foreman|schema|placement|addresses|network|names|reservations|strategy)/,
]
const pureModules = ['zod', 'node:crypto', 'ipaddr.js', 'yaml', 'fastest-levenshtein']

describe('the house', () => {
  test('has imports to check', () => {
    expect(own.length).toBeGreaterThan(100)
  })

  test('shared imports nothing of ours but shared', () => {
    expect(own.filter(({ file, target }) => file.startsWith('shared/') && !target.startsWith('shared/'))).toEqual([])
  })

  test('a service imports shared and itself, never another service', () => {
    const wrong = own.filter(({ file, target }) => {
      if (!file.startsWith('services/')) return false
      const service = file.split('/').slice(0, 2).join('/')
      return !target.startsWith('shared/') && !target.startsWith(`${service}/`)
    })
    expect(wrong).toEqual([])
  })

  test('the CLI imports shared, the schemas of the API and offline planning', () => {
    const wrong = own.filter(
      ({ file, target }) =>
        file.startsWith('cli/') &&
        !/^(cli|shared)\//.test(target) &&
        !openToCli.includes(target) &&
        target !== 'package.json',
    )
    expect(wrong).toEqual([])
  })

  test('a kind imports no other kind', () => {
    const kindOf = (path: string) => /^services\/(?:planner\/kinds|assembler\/steps)\/([^/]+)\//.exec(path)?.[1]
    const wrong = own.filter(({ file, target }) => {
      const [from, to] = [kindOf(file), kindOf(target)]
      return from !== undefined && to !== undefined && from !== to
    })
    expect(wrong).toEqual([])
  })

  test('what decides does no I/O', () => {
    const isPure = (path: string) => pure.some((pattern) => pattern.test(path))
    expect(imports.filter(({ file, own, target }) => isPure(file) && !own && !pureModules.includes(target))).toEqual([])
    for (const file of files.filter(isPure)) {
      expect(readFileSync(join(root, file), 'utf8'), file).not.toMatch(
        /Date\.now|Math\.random|performance\.now|randomUUID|randomBytes|process\.env/,
      )
    }
  })

  test('redlock is imported in one place', () => {
    expect([...new Set(imports.filter(({ target }) => target === 'redlock').map(({ file }) => file))]).toEqual([
      'shared/lock/claims.ts',
    ])
  })
})

test('of every failpoint it is known which service reaches it', () => {
  expect(listFailpoints().length).toBeGreaterThan(50)
})
