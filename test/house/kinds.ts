import { basename } from 'node:path'
import { filesOf, loadedBy } from './sources.ts'

/** The built-in kinds: the folders of `kinds/` but for the contract and the kit of tests. */
export const kinds = [...new Set(filesOf('kinds/*/**/*.ts').map((file) => file.split('/')[1]!))].filter(
  (name) => !['contract', 'testing'].includes(name),
)

/**
 * True where a folder or the file itself bears the name of the kind: `bench/database/fleet.ts`,
 * `test/golden/database.test.ts`.
 */
export function bearsName(kind: string, file: string): boolean {
  return file.split('/').some((part) => part === kind) || basename(file).split('.')[0] === kind
}

const around = filesOf('{test,bench,examples,script}/**/*.ts')

/** Tests, benches and examples that use the kind, however far away. */
export function usersOf(kind: string): string[] {
  const isAround = (file: string) => !/^(kinds|services|shared|cli)\//.test(file)
  return around.filter((file) =>
    [...loadedBy(file, isAround, { types: true }).keys()].some((name) => bearsName(kind, name)),
  )
}

/** All that is deleted with a kind beside its folder and its line. */
export function goesWith(kind: string): string[] {
  const named = filesOf('{test,bench,examples}/**/*').filter((file) => bearsName(kind, file))
  return [...new Set([...named, ...usersOf(kind)])]
}
