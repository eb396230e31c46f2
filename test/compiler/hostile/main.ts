import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { hostileScripts } from './scripts.ts'
import { type Cleaning, type Pair, Workbench } from './workbench.ts'

/**
 * `npm run test:hostile [-- --pairs 200 --seed N --control --json]`: a hostile package, then an honest one on the
 * same machine, so many times. The honest one must be byte for byte as on a new machine. `--control` cleans reused
 * machines by a list of paths, as they were before: then it differs. Ends with 1 where a pair differs, with
 * `--control` where none does.
 */
const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    control: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const cleaning: Cleaning = values.control ? 'a list of paths' : 'renewal'
const bench = await Workbench.open(cleaning)
const pairs: Pair[] = []
try {
  for (const hostile of hostileScripts(Number(values.seed), Number(values.pairs))) {
    const pair = await bench.pair(hostile)
    pairs.push(pair)
    if (values.json) console.log(JSON.stringify(pair))
    else if (pair.differs.length > 0 || pair.failed)
      console.log(`${pair.leaves.join('; ')}\n  ${pair.failed ?? pair.differs.join('\n  ')}`)
  }
} finally {
  await bench.close()
}
const count = (is: (pair: Pair) => boolean) => pairs.filter(is).length
const differing = count(({ differs }) => differs.length > 0)
const summary = {
  seed: Number(values.seed),
  cleaning,
  pairs: pairs.length,
  differing,
  thrownAway: count(({ failed }) => failed !== undefined),
  mostUsed: Math.max(0, ...pairs.map(({ used }) => used)),
}
console.log(JSON.stringify(summary))
process.exitCode = values.control === differing > 0 ? 0 : 1
