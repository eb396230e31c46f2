import type { Figure } from './figure.ts'

/** `npm run bench -- [NAME...] [--json]`: measures, prints a line a figure, ends with 0 whatever the figures are. */
const benches: Record<string, () => Promise<{ run(): Promise<Figure[]> }>> = {
  dispatch: () => import('./dispatch.ts'),
  plan: () => import('./plan.ts'),
  machines: () => import('./machines.ts'),
  compile: () => import('./compile.ts'),
  deploy: () => import('./deploy.ts'),
  database: () => import('./database/bench.ts'),
}

const names = process.argv.slice(2).filter((name) => !name.startsWith('-'))
const json = process.argv.includes('--json')
const unknown = names.filter((name) => !(name in benches))
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}

for (const name of names.length > 0 ? names : Object.keys(benches)) {
  for (const figure of await (await benches[name]!()).run()) console.log(json ? JSON.stringify(figure) : line(figure))
}

function line(figure: Figure): string {
  const verdict = figure.pass === null ? ' ' : figure.pass ? '✓' : '✗'
  const target = figure.target === null ? '' : `  (target ${figure.target})`
  return `${verdict} ${figure.bench.padEnd(10)} ${figure.case.padEnd(44)} ${String(figure.value).padStart(10)} ${figure.unit}${target}`
}
