import { chmod, cp, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { casesFolder } from '../support/cases.ts'
import type { Sabotage } from './sabotages.ts'

const root = new URL('../..', import.meta.url).pathname
const parts = [
  'bin',
  'kinds',
  'services',
  'shared',
  'cli',
  'examples',
  'test',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
]

/** A copy of the sources, to be sabotaged. The caller removes it. */
export async function copySources(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'remodel-sabotage-'))
  // Tests that play another user of the computer run the copied sources as that user.
  await chmod(copy, 0o755)
  for (const part of parts) await cp(join(root, part), join(copy, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** Works it in; answers what takes it out again. Null where the sources no longer hold the line it changes. */
export async function workIn(
  { file, find, replace }: Sabotage,
  copy: string,
): Promise<{ undo: () => Promise<void> } | null> {
  const path = join(copy, file)
  const source = await readFile(path, 'utf8')
  if (source.split(find).length !== 2) return null
  await writeFile(
    path,
    source.replace(find, () => replace),
  )
  return { undo: () => writeFile(path, source) }
}

/** Runs a test file of the copy. Long suites have a configuration and time limits of their own. */
export async function runTest(
  copy: string,
  file: string,
  more: readonly string[] = [],
  env: Record<string, string> = {},
) {
  const long = file.startsWith('test/long/database/') ? ['--config', 'test/long/database/vitest.config.ts'] : null
  const argv = ['run', file, ...more, ...(long ?? ['--testTimeout=30000'])]
  return execa('vitest', argv, {
    cwd: copy,
    preferLocal: true,
    localDir: root,
    reject: false,
    env: { REMODEL_CASES: casesFolder, ...env },
  })
}
