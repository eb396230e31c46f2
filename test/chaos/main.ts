import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { faults } from './faults.ts'
import { passed } from './report.ts'
import { chaos } from './run.ts'

/**
 * npm run chaos -- --seconds N --seed n [--json] [--only kind,kind] [--without kind,kind] [--keep FOLDER]
 *
 * Without --json the run tells what happens, on standard error; the last line on standard output is the report, as
 * JSON. Exit 1 where an oracle was violated. See README.md.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    without: { type: 'string' },
    keep: { type: 'string' },
    gap: { type: 'string', default: '0.5,2.5' },
    'heal-within': { type: 'string', default: '60' },
  },
})
const split = (text: string | undefined) => text?.split(',').filter(Boolean) ?? []
const kinds = (values.only ? split(values.only) : Object.keys(faults)).filter(
  (kind) => !split(values.without).includes(kind),
)
const unknown = [...split(values.only), ...split(values.without)].filter((kind) => !(kind in faults))
if (unknown.length > 0) {
  console.error(`no fault is called ${unknown.join(', ')}; there are: ${Object.keys(faults).join(', ')}`)
  process.exit(2)
}
const [shortest = 0.5, longest = 2.5] = split(values.gap).map(Number)
const { keep } = values
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(signal)))
const report = await chaos({
  seconds: Number(values.seconds),
  seed: Number(values.seed),
  kinds,
  gap: [shortest, longest],
  healWithin: Number(values['heal-within']),
  stop: stop.signal,
  ...(values.json ? {} : { log: (line: string) => console.error(line) }),
  ...(keep === undefined
    ? {}
    : {
        keep: async (home, found) => {
          await mkdir(keep, { recursive: true })
          await cp(join(home, 'log'), join(keep, 'log'), { recursive: true })
          await cp(join(home, 'machines', 'effects.jsonl'), join(keep, 'effects.jsonl'))
          await cp(join(home, 'redis'), join(keep, 'redis'), { recursive: true })
          await writeFile(join(keep, 'report.json'), JSON.stringify(found, null, 2))
        },
      }),
})
if (!values.json) for (const violation of report.violations) console.error(`VIOLATION ${violation}`)
console.log(JSON.stringify(report))
process.exit(passed(report) ? 0 : 1)
