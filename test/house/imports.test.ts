import { describe, expect, test } from 'vitest'
import { builtIn } from '../../kinds/built-in.ts'
import { listFailpoints } from '../chaos/failpoints.ts'
import { filesOf, sourceOf } from './sources.ts'

/** The import rules of docs/design/architecture.md. */

const files = filesOf('{shared,kinds,services,cli}/**/*.ts')
const imports = files.flatMap((file) => sourceOf(file).imports.map((one) => ({ file, ...one })))
const own = imports.filter((one) => one.own)

/**
 * What the CLI may use beside `shared`: the list of kinds, whose verbs it looks up, how they say their reasons, what
 * they read of the environment, and offline planning, which opens kinds by the registry.
 */
const openToCli = [
  'kinds/built-in.ts',
  'kinds/phrases.ts',
  'kinds/variables.ts',
  'services/planner/planning/offline.ts',
]
/** What a kind's verbs may use of the CLI. */
const openToVerbs = 'cli/sdk.ts'
/** The composition of all kinds: it alone imports them, each by its `index.ts`. */
const registry = ['kinds/built-in.ts', 'kinds/phrases.ts', 'kinds/registry.ts', 'kinds/variables.ts']

/** The kind that a file is of; the folders of `kinds/` that are no kind are the contract and the kit for tests. */
const kindOf = (path: string) => /^kinds\/(?!contract\/|testing\/)([^/]+)\//.exec(path)?.[1]
const isIndex = (path: string) => /^kinds\/[^/]+\/index\.ts$/.test(path)
/** A kind's part of the kit of tests, which no service loads. */
const kits = /^kinds\/[^/]+\/testing\//
/** The command's part of a kind: its verbs, and what they show. */
const commands = /^kinds\/[^/]+\/cli\//

describe('imports', () => {
  test('there are imports to check', () => {
    expect(own.length).toBeGreaterThan(1000)
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
    const isOpen = ({ file, target }: (typeof wrong)[number]) =>
      (commands.test(file) && target === openToVerbs) || (kits.test(file) && target.startsWith('kinds/testing/'))
    expect(wrong.filter((one) => !isOpen(one))).toEqual([])
  })

  test('no service and no part of the command loads what carries plans out for tests', () => {
    const loaded = own.filter(({ target }) => target.startsWith('kinds/testing/') || kits.test(target))
    expect(loaded.filter(({ file }) => !kits.test(file) && !file.startsWith('kinds/testing/'))).toEqual([])
  })

  test('the contract imports shared', () => {
    const wrong = own.filter(
      ({ file, target }) => file.startsWith('kinds/contract/') && !/^(shared|kinds\/contract)\//.test(target),
    )
    expect(wrong).toEqual([])
  })

  test('the kit that tests kinds imports shared and the contract', () => {
    const allowed = /^(shared|kinds\/contract|kinds\/testing)\//
    const wrong = own.filter(({ file, target }) => file.startsWith('kinds/testing/') && !allowed.test(target))
    expect(wrong).toEqual([])
  })

  test('an extension imports one file of ours', () => {
    const targets = filesOf('examples/kinds/**/*.ts').flatMap((file) => sourceOf(file).imports.filter((one) => one.own))
    expect(new Set(targets.map(({ target }) => target))).toEqual(new Set(['kinds/contract/sdk.ts']))
  })

  test('the command names no kind', () => {
    // `deployment` is a word of the core too.
    const named = Object.keys(builtIn).filter((kind) => kind !== 'deployment')
    const words = new RegExp(`\\b(${named.join('|')})s?\\b`, 'i')
    const found = files.filter((file) => file.startsWith('cli/') && words.test(sourceOf(file).text))
    expect(found).toEqual([])
  })

  test('the core imports no kind but through the registry', () => {
    const core = own.filter(({ file, target }) => !kindOf(file) && kindOf(target))
    expect(core.filter(({ file }) => !registry.includes(file))).toEqual([])
    expect(core.filter(({ target }) => !isIndex(target))).toEqual([])
  })

  test('ids and titles are taken apart where they are put together, and nowhere else', () => {
    const taken =
      /\b(id|title|material|purpose)\??\.(slice|split|startsWith|endsWith|replace|indexOf|lastIndexOf|match)\(/
    const owners = new Set([
      'shared/model/material.ts',
      // Ids that are no ids of materials: of stored releases, of jobs on a board, of what pgEdge's
      // operations call resources.
      'services/planner/catalog/catalog.ts',
      'services/planner/http/board/board.ts',
      'kinds/database/renaming.ts',
    ])
    const found = files.filter((file) => taken.test(sourceOf(file).text) && !owners.has(file))
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
