import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { builtIn } from '../../kinds/built-in.ts'
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

/** What the CLI may use beside `shared`: the list of kinds, whose verbs it looks up, and offline planning, which opens kinds by the registry. */
const openToCli = ['kinds/built-in.ts', 'services/planner/planning/offline.ts']
/** What a kind's verbs may use of the CLI. */
const openToVerbs = 'cli/sdk.ts'
/** The composition of all kinds: it alone imports them, each by its `index.ts`. */
const registry = ['kinds/built-in.ts', 'kinds/registry.ts']

/** Parts that decide: no I/O, no clock, no random of their own. */
const pure = [
  /^shared\/model\//,
  /^kinds\/contract\/(diff|draft|order|weigh)\.ts$/,
  /^services\/planner\/planning\/(gate|seal)\.ts$/,
  /^kinds\/[^/]+\/plan\/(architect|foreman|schema|placement|addresses|network|names|reservations|strategy|deviations|seen)/,
  /^kinds\/[^/]+\/judgement\//,
]
/** The kind that a file is of, and which half of it: `plan` runs in the planner, these in the assembler; the rest is for both. */
const kindOf = (path: string) => /^kinds\/(?!contract\/)([^/]+)\//.exec(path)?.[1]
const isIndex = (path: string) => /^kinds\/[^/]+\/index\.ts$/.test(path)
const carriesOut = /^kinds\/[^/]+\/(steps|server|archiving|instance|keepers)\//
const plans = /^kinds\/[^/]+\/(plan|render|http)\//
/** The command's part of a kind: its verbs, and what they show. */
const commands = /^kinds\/[^/]+\/cli\//
/** What verbs may use of the planner's half: functions that need no planner. */
const forVerbs = /^kinds\/[^/]+\/plan\/operations\//

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
    expect(wrong.filter(({ target }) => !registry.includes(target))).toEqual([])
  })

  test('the CLI imports shared, offline planning, and of kinds the list that it looks verbs up in', () => {
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
    expect(wrong.filter(({ file, target }) => !commands.test(file) || target !== openToVerbs)).toEqual([])
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
    const ofCommands = own.filter(({ file }) => commands.test(file))
    expect(ofCommands.length).toBeGreaterThan(20)
    expect(
      ofCommands.filter(({ target }) => carriesOut.test(target) || (plans.test(target) && !forVerbs.test(target))),
    ).toEqual([])
    expect(own.filter(({ file, target }) => !commands.test(file) && commands.test(target) && !isIndex(file))).toEqual(
      [],
    )
  })

  test('the command names no kind', () => {
    // `deployment` is a word of the core too.
    const named = Object.keys(builtIn).filter((kind) => kind !== 'deployment')
    const words = new RegExp(`\\b(${named.join('|')})s?\\b`, 'i')
    const found = files.filter((file) => file.startsWith('cli/') && words.test(readFileSync(join(root, file), 'utf8')))
    expect(found).toEqual([])
  })

  test('the core imports no kind but through the registry', () => {
    const core = own.filter(({ file, target }) => !kindOf(file) && kindOf(target))
    expect(core.filter(({ file }) => !registry.includes(file))).toEqual([])
    expect(core.filter(({ target }) => !isIndex(target))).toEqual([])
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

  test('ids and titles are taken apart where they are put together, and nowhere else', () => {
    const taken =
      /\b(id|title|material|purpose)\??\.(slice|split|startsWith|endsWith|replace|indexOf|lastIndexOf|match)\(/
    const owners = new Set([
      'shared/model/material.ts',
      // Ids that are no ids of materials: of stored releases, of jobs on a board, of what pgEdge's operations call resources.
      'services/planner/catalog/supply.ts',
      'services/planner/http/board/board.ts',
      'kinds/database/renaming.ts',
    ])
    const found = files.filter((file) => taken.test(readFileSync(join(root, file), 'utf8')) && !owners.has(file))
    expect(found.filter((file) => !file.startsWith('kinds/database/plan/operations/'))).toEqual([])
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
