import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { describeFailure, record, replay } from './record.ts'
import { simulate } from './run.ts'

/**
 * `npm run test:sim -- [--runs 2000] [--from N] [--json]`: that many seeds, one after the other, from `from` on;
 * without it from one that is drawn, and printed. SIM_SEED=n runs that one and prints its log. `--replay FILE` runs
 * a recorded one again. Ends with 1 where a guarantee was broken; the first broken run of each rule is shrunk and
 * written to `.remodel/sim/`.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    from: { type: 'string', default: String(randomInt(2 ** 31)) },
    json: { type: 'boolean', default: false },
    replay: { type: 'string' },
  },
})
const say = (text: string) => process.stdout.write(`${text}\n`)

if (values.replay !== undefined) process.exitCode = await replayed(values.replay)
else if (process.env.SIM_SEED) process.exitCode = await one(Number(process.env.SIM_SEED))
else process.exitCode = await many(Number(values.from), Number(values.runs))

async function replayed(file: string): Promise<number> {
  const { recorded, outcome } = await replay(file)
  const same = outcome.violation?.rule === recorded.violation?.rule
  if (values.json) say(JSON.stringify({ same, recorded: recorded.violation, violation: outcome.violation }))
  else {
    for (const line of outcome.log) say(line)
    say(outcome.violation?.message ?? 'every guarantee held')
    if (!same) say(`it was recorded with: ${recorded.violation?.message ?? 'nothing broken'}`)
  }
  return outcome.violation ? 1 : 0
}

async function one(seed: number): Promise<number> {
  const outcome = await simulate({ seed }, true)
  for (const line of outcome.log) say(line)
  if (!outcome.violation) {
    say(`every guarantee held: ${outcome.steps} steps, ${outcome.seconds.toFixed(1)} simulated seconds`)
    return 0
  }
  const file = fileOf(seed)
  say(describeFailure(await record(file, { seed }, outcome), file))
  return 1
}

async function many(from: number, runs: number): Promise<number> {
  const started = performance.now()
  const broken = new Map<string, number[]>()
  const killed = new Map<string, number>()
  let [steps, seconds] = [0, 0]
  for (let seed = from; seed < from + runs; seed++) {
    const outcome = await simulate({ seed })
    steps += outcome.steps
    seconds += outcome.seconds
    for (const name of outcome.killed) killed.set(name, (killed.get(name) ?? 0) + 1)
    // The event loop turns, so that the process can be asked to leave.
    if (seed % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (!outcome.violation) continue
    const { rule } = outcome.violation
    const seeds = broken.get(rule) ?? []
    if (seeds.length === 0) {
      const run = await record(fileOf(seed), { seed }, outcome)
      if (!values.json) say(describeFailure(run, fileOf(seed)))
    }
    broken.set(rule, [...seeds, seed])
  }
  const wall = (performance.now() - started) / 1000
  const summary = {
    runs,
    from,
    broken: Object.fromEntries(broken),
    runsPerSecond: Math.round(runs / wall),
    stepsPerRun: Math.round(steps / runs),
    simulatedHours: Number((seconds / 3600).toFixed(2)),
    killedAtFailpoints: Object.fromEntries([...killed].sort()),
  }
  if (values.json) say(JSON.stringify(summary))
  else {
    for (const [rule, seeds] of broken) say(`${rule}: ${seeds.length} seeds: ${seeds.slice(0, 10).join(', ')}`)
    say(
      `${runs} runs from ${from}, ${[...broken.values()].flat().length} broken; ${summary.runsPerSecond} runs/s, ${summary.stepsPerRun} steps each`,
    )
  }
  return broken.size === 0 ? 0 : 1
}

function fileOf(seed: number): string {
  return `.remodel/sim/${seed}.json`
}
