import { describe, expect, test } from 'vitest'
import { filesOf, sourceOf } from './sources.ts'

/**
 * The halves of a kind run in different processes, on different machines: a planner decides, an assembler carries
 * out, the command shows. What several need lies in folders for all, which import no half, so that no half
 * reaches another through them. What tests and the lab load imports any half, and no half imports it.
 */
type Half = 'planner' | 'assembler' | 'command' | 'tests' | 'all'
const folders: Record<string, Half> = {
  plan: 'planner',
  inspection: 'planner',
  live: 'planner',
  settings: 'planner',
  render: 'planner',
  http: 'planner',
  steps: 'assembler',
  keepers: 'assembler',
  instance: 'assembler',
  server: 'assembler',
  archiving: 'assembler',
  cli: 'command',
  api: 'all',
  archive: 'all',
  judgement: 'all',
  postgres: 'all',
  testing: 'tests',
}
/** The parts of a kind, each loaded when it is first needed; it imports any of them. */
const isIndex = (path: string) => /^kinds\/[^/]+\/index\.ts$/.test(path)
/** What verbs use of the planner's half: functions that need no planner. */
const forVerbs = /^kinds\/[^/]+\/plan\/operations\//

function halfOf(path: string): Half | undefined {
  if (/^kinds\/[^/]+\/kind\.ts$/.test(path)) return 'planner'
  const [, folder] = /^kinds\/(?!contract\/|testing\/)[^/]+\/([^/]+)\//.exec(path) ?? []
  return folder === undefined ? 'all' : folders[folder]
}

const files = filesOf('kinds/*/**/*.ts').filter((file) => !/^kinds\/(contract|testing)\//.test(file))
const imports = files.flatMap((file) =>
  sourceOf(file).imports.flatMap(({ own, target }) =>
    own && /^kinds\/(?!contract\/|testing\/)/.test(target) ? [{ file, target }] : [],
  ),
)
const wrong = (half: Half) =>
  imports.filter(
    ({ file, target }) =>
      halfOf(file) === half && !isIndex(file) && halfOf(target) !== half && halfOf(target) !== 'all',
  )

describe('the halves of a kind', () => {
  test('every folder of a kind is of a half, or for all', () => {
    expect(files.filter((file) => halfOf(file) === undefined)).toEqual([])
    expect(imports.length).toBeGreaterThan(300)
  })

  test('what the planner loads imports nothing of the assembler and of the command', () => {
    expect(wrong('planner')).toEqual([])
  })

  test('what the assembler loads imports nothing of the planner and of the command', () => {
    expect(wrong('assembler')).toEqual([])
  })

  test('what the command loads imports nothing of the assembler, and of the planner what needs no planner', () => {
    expect(wrong('command').filter(({ target }) => !forVerbs.test(target))).toEqual([])
  })

  test('what all load imports no half', () => {
    expect(wrong('all')).toEqual([])
  })
})
