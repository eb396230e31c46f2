import { createHash, randomInt } from 'node:crypto'
import { chmod, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { type Sabotage, sabotages } from './sabotages.ts'

/**
 * `npm run test:sabotage [-- --json] [--sample N [--seed S]] [-- WORDS]`: works each sabotage into a copy of the sources and runs the
 * test that has to catch it. With words, only those whose name holds them; with a sample, so many of those that no long suite
 * catches, drawn by a seed that is printed. Ends with 1 where one is not caught, or where the sources no longer hold the line it changes.
 */
const root = new URL('../..', import.meta.url).pathname
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, sample: { type: 'string' }, seed: { type: 'string' } },
})
const { json } = options
const seed = options.seed ?? String(randomInt(1_000_000))
const named = sabotages.filter(({ name }) => name.includes(positionals.join(' ')))
const quick = named.filter(({ caughtBy }) => !caughtBy.startsWith('test/long/'))
const chosen = options.sample === undefined ? named : drawn(quick, Number(options.sample))
if (options.sample !== undefined && !json) console.log(`${chosen.length} of ${named.length} sabotages, seed ${seed}`)
const copy = await mkdtemp(join(tmpdir(), 'remodel-sabotage-'))
// Tests that play another user of the computer run the copied sources as that user.
await chmod(copy, 0o755)
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
  for (const [file, ofFile] of Map.groupBy(chosen, ({ caughtBy }) => caughtBy)) {
    // A test that fails by itself would catch everything.
    const sound = await passes(file, '--retry=2')
    for (const sabotage of ofFile) {
      const verdict = sound ? await attempt(sabotage) : 'fails without it'
      if (verdict !== 'caught') escaped += 1
      console.log(
        json
          ? JSON.stringify({ sabotage: sabotage.name, caughtBy: sabotage.caughtBy, verdict })
          : `${verdict.padEnd(8)} ${sabotage.name}  (${sabotage.caughtBy})`,
      )
    }
  }
} finally {
  await rm(copy, { recursive: true, force: true })
}
if (!json) console.log(`${chosen.length - escaped} passed, ${escaped} failed`)
process.exitCode = escaped === 0 ? 0 : 1

function drawn(all: readonly Sabotage[], number: number): Sabotage[] {
  const rank = ({ name }: Sabotage) => createHash('sha256').update(`${seed} ${name}`).digest('hex')
  return all.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, number)
}

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

async function passes(file: string, ...more: string[]): Promise<boolean> {
  // Long suites have a configuration and time limits of their own.
  const long = file.startsWith('test/long/database/') ? ['--config', 'test/long/database/vitest.config.ts'] : null
  const argv = ['run', file, '--bail=1', ...more, ...(long ?? ['--testTimeout=30000'])]
  const { exitCode } = await execa('vitest', argv, { cwd: copy, preferLocal: true, localDir: root, reject: false })
  return exitCode === 0
}
