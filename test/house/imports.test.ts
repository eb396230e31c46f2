import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listFailpoints } from '../chaos/failpoints.ts'

/** The import rules of docs/design/architecture.md. */

interface Import {
  file: string
  /** A path below the project's root, or a package's name. */
  target: string
  own: boolean
}

const root = new URL('../..', import.meta.url).pathname
const files = globSync(['shared/**/*.ts', 'kinds/**/*.ts', 'services/**/*.ts', 'cli/**/*.ts'], { cwd: root })
const imports: Import[] = files.flatMap((file) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/(?:from\s+|import\(\s*|^import\s+)'([^']+)'/gm)].map(
    ([, name]) => {
      const own = name!.startsWith('.')
      return { file, own, target: own ? normalize(join(dirname(file), name!)) : name! }
    },
  ),
)
const own = imports.filter((one) => one.own)

/** What the CLI may use beside `shared`: what needs no planner (offline planning, pure operations), and what an action is given. */
const openToCli = [
  'services/planner/planning/offline.ts',
  'kinds/database/action-inputs.ts',
  'kinds/database/plan/operations/command.ts',
]

/** Parts that decide: no I/O, no clock, no random of their own. */
const pure = [
  /^shared\/model\//,
  /^kinds\/contract\/(diff|draft|order|weigh)\.ts$/,
  /^services\/planner\/planning\/(gate|seal)\.ts$/,
  /^kinds\/[^/]+\/plan\/(architect|foreman|schema|placement|addresses|network|names|reservations|strategy)/,
]
/** The kind that a file is of, and which half of it: `plan` runs in the planner, these in the assembler; the rest is for both. */
const kindOf = (path: string) => /^kinds\/(?!contract\/)([^/]+)\//.exec(path)?.[1]
const carriesOut = /^kinds\/[^/]+\/(steps|server|archiving|instance|keepers)\//
const plans = /^kinds\/[^/]+\/(plan|render|http)\//

const pureModules = ['zod', 'node:crypto', 'ipaddr.js', 'yaml', 'fastest-levenshtein']

describe('the house', () => {
  test('has imports to check', () => {
    expect(own.length).toBeGreaterThan(100)
  })

  test('shared imports nothing of ours but shared', () => {
    const wrong = own.filter(({ file, target }) => file.startsWith('shared/') && !target.startsWith('shared/'))
    expect(wrong).toEqual([])
  })

  test('a service imports shared, the contract of kinds and itself, never another service', () => {
    const wrong = own.filter(({ file, target }) => {
      if (!file.startsWith('services/')) return false
      const service = file.split('/').slice(0, 2).join('/')
      return !/^(shared|kinds\/contract)\//.test(target) && !target.startsWith(`${service}/`)
    })
    expect(wrong.filter(({ target }) => target !== 'kinds/registry.ts')).toEqual([])
  })

  test('the CLI imports shared, offline planning, and what actions are given', () => {
    const wrong = own.filter(
      ({ file, target }) =>
        file.startsWith('cli/') &&
        !/^(cli|shared)\//.test(target) &&
        !openToCli.includes(target) &&
        target !== 'package.json',
    )
    expect(wrong).toEqual([])
  })

  test('a kind imports itself, shared and the contract', () => {
    const wrong = own.filter(({ file, target }) => {
      const kind = kindOf(file)
      return kind !== undefined && !/^(shared|kinds\/contract)\//.test(target) && kindOf(target) !== kind
    })
    expect(wrong).toEqual([])
  })

  test('the contract imports shared', () => {
    const wrong = own.filter(
      ({ file, target }) => file.startsWith('kinds/contract/') && !/^(shared|kinds\/contract)\//.test(target),
    )
    expect(wrong).toEqual([])
  })

  test('an extension imports one file of ours', () => {
    const text = readFileSync(join(root, 'examples/kinds/files.ts'), 'utf8')
    const of = [...text.matchAll(/from '(\.[^']+)'/g)].map(([, target]) => target)
    expect(of).toEqual(['../../kinds/contract/sdk.ts'])
  })

  test('the halves of a kind do not import each other', () => {
    expect(own.filter(({ file, target }) => plans.test(file) && carriesOut.test(target))).toEqual([])
    expect(own.filter(({ file, target }) => carriesOut.test(file) && plans.test(target))).toEqual([])
  })

  test('the core imports no kind but through the registry', () => {
    const core = own.filter(({ file, target }) => !kindOf(file) && file !== 'kinds/registry.ts' && kindOf(target))
    expect(core.filter(({ file }) => !file.startsWith('cli/'))).toEqual([])
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
