import { createHash, randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { casesFolder } from '../support/cases.ts'
import { copySources, runTest, workIn } from './copy.ts'
import { type Sabotage, sabotages } from './sabotages.ts'

/**
 * `npm run test:sabotage [-- --json] [--sample N [--seed S]] [--shard K/M] [-- WORDS]`: works each sabotage into a copy
 * of the sources and runs the test that has to catch it. With words, only those whose name holds them; with a sample,
 * so many of those that no long suite catches, drawn by a seed that is printed; with a shard, the K-th of M parts. Ends
 * with 1 where one is not caught, or where the sources no longer hold the line it changes.
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    sample: { type: 'string' },
    seed: { type: 'string' },
    shard: { type: 'string', default: '1/1' },
  },
})
const { json } = options
const seed = options.seed ?? String(randomInt(1_000_000))
// Those tests find no inputs then, and pass whatever is taken out.
const hasCases = existsSync(casesFolder)
if (!hasCases) console.warn(`what test/field catches is left out: there are no cases at ${casesFolder}`)
const named = sabotages.filter(
  ({ name, caughtBy }) => name.includes(positionals.join(' ')) && (hasCases || !caughtBy.startsWith('test/field/')),
)
const quick = named.filter(({ caughtBy }) => !caughtBy.startsWith('test/long/'))
const chosen = options.sample === undefined ? shardOf(named) : drawn(quick, Number(options.sample))
if (options.sample !== undefined && !json) console.log(`${chosen.length} of ${named.length} sabotages, seed ${seed}`)
const copy = await copySources()
let escaped = 0
try {
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

/** A part of all, in their order: what one test catches is mostly in one part, so that it is proven sound once. */
function shardOf(all: readonly Sabotage[]): readonly Sabotage[] {
  const [part = 1, parts = 1] = options.shard.split('/').map(Number)
  const size = all.length / parts
  return all.slice(Math.round(size * (part - 1)), Math.round(size * part))
}

function drawn(all: readonly Sabotage[], number: number): Sabotage[] {
  const rank = ({ name }: Sabotage) => createHash('sha256').update(`${seed} ${name}`).digest('hex')
  return all.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).slice(0, number)
}

async function attempt(sabotage: Sabotage): Promise<'caught' | 'escaped' | 'moved'> {
  const worked = await workIn(sabotage, copy)
  if (!worked) return 'moved'
  try {
    return (await passes(sabotage.caughtBy)) ? 'escaped' : 'caught'
  } finally {
    await worked.undo()
  }
}

async function passes(file: string, ...more: string[]): Promise<boolean> {
  const { exitCode } = await runTest(copy, file, ['--bail=1', ...more])
  return exitCode === 0
}
