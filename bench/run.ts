import { parseArgs } from 'node:util'
import type { Figure } from './figure.ts'

interface Options {
  /** Duration of the time-boxed benches, in minutes. */
  minutes: number
}

type Bench = () => Promise<{ run(options: Options): Promise<Figure[]> }>

/** `npm run bench -- [NAME...] [--json]`: measures, prints a line a figure, ends with 0 whatever the figures are. */
const benches: Record<string, Bench> = {
  dispatch: () => import('./dispatch.ts'),
  plan: () => import('./plan.ts'),
  machines: () => import('./machines.ts'),
  compile: () => import('./compile.ts'),
  deploy: () => import('./deploy.ts'),
  database: () => import('./database/bench.ts'),
}

/**
 * Only by name: benches that need room on the disk, the part of `compile` with real packages, and the time-boxed ones.
 */
const apart: Record<string, Bench> = {
  'big-package': () => import('./big-package.ts'),
  'compile-c': () => import('./compile-c.ts'),
  endurance: () => import('./endurance.ts'),
  healing: () => import('./healing.ts'),
}

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, minutes: { type: 'string', default: '60' } },
})
const minutes = Number(values.minutes)
const all = { ...benches, ...apart }
const unknown = names.filter((name) => !(name in all))
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}; there are ${Object.keys(all).join(', ')}`)
  process.exit(2)
}
if (!(minutes > 0)) {
  console.error(`bench: --minutes takes a number above 0, not ${values.minutes}`)
  process.exit(2)
}

for (const name of names.length > 0 ? names : Object.keys(benches)) {
  for (const figure of await (await all[name]!()).run({ minutes }))
    console.log(values.json ? JSON.stringify(figure) : line(figure))
}
// A client that goes on connecting to a Redis which has stopped must not hold the command.
process.exit()

function line(figure: Figure): string {
  const verdict = figure.pass === null ? ' ' : figure.pass ? '✓' : '✗'
  const target = figure.target === null ? '' : `  (target ${figure.target})`
  return `${verdict} ${figure.bench.padEnd(10)} ${figure.case.padEnd(44)} ${String(figure.value).padStart(10)} ${figure.unit}${target}`
}
