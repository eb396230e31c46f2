import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { type Sabotage, sabotages } from './sabotages.ts'

/**
 * `npm run test:sabotage [-- --json] [-- WORDS]`: works each sabotage into a copy of the sources and runs the test that has to catch it.
 * With words, only those whose name holds them. Ends with 1 where one is not caught, or where the sources no longer hold the line it changes.
 */
const root = new URL('../..', import.meta.url).pathname
const json = process.argv.includes('--json')
const words = process.argv
  .slice(2)
  .filter((word) => word !== '--json')
  .join(' ')
const chosen = sabotages.filter(({ name }) => name.includes(words))
const copy = await mkdtemp(join(tmpdir(), 'remodel-sabotage-'))
let escaped = 0
try {
  for (const part of [
    'bin',
    'services',
    'shared',
    'cli',
    'test',
    'package.json',
    'tsconfig.json',
    'vitest.config.ts',
  ]) {
    await cp(join(root, part), join(copy, part), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  // A test that fails by itself would catch everything.
  for (const file of new Set(chosen.map(({ caughtBy }) => caughtBy))) {
    if (!(await passes(file))) throw new Error(`${file} fails without any sabotage`)
  }
  for (const sabotage of chosen) {
    const verdict = await attempt(sabotage)
    if (verdict !== 'caught') escaped += 1
    console.log(
      json
        ? JSON.stringify({ sabotage: sabotage.name, caughtBy: sabotage.caughtBy, verdict })
        : `${verdict.padEnd(8)} ${sabotage.name}  (${sabotage.caughtBy})`,
    )
  }
} finally {
  await rm(copy, { recursive: true, force: true })
}
if (!json) console.log(`${chosen.length - escaped} passed, ${escaped} failed`)
process.exitCode = escaped === 0 ? 0 : 1

async function attempt({ file, find, replace, caughtBy }: Sabotage): Promise<'caught' | 'escaped' | 'moved'> {
  const path = join(copy, file)
  const source = await readFile(path, 'utf8')
  if (source.split(find).length !== 2) return 'moved'
  await writeFile(
    path,
    source.replace(find, () => replace),
  )
  try {
    return (await passes(caughtBy)) ? 'escaped' : 'caught'
  } finally {
    await writeFile(path, source)
  }
}

async function passes(file: string): Promise<boolean> {
  // Long suites have a configuration and time limits of their own.
  const long = file.startsWith('test/long/database/') ? ['--config', 'test/long/database/vitest.config.ts'] : null
  const argv = ['run', file, '--bail=1', ...(long ?? ['--testTimeout=30000'])]
  const { exitCode } = await execa('vitest', argv, { cwd: copy, preferLocal: true, localDir: root, reject: false })
  return exitCode === 0
}
