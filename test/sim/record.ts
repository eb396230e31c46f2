import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describeFault, type Fault } from './faults.ts'
import { type Outcome, type Specification, simulate } from './run.ts'
import { shrink } from './shrink.ts'

/** A failed run as a file: the seed and the faults are enough to run it again, the rest is for the reader. */
export interface RecordedRun {
  format: 1
  seed: number
  faults: Fault[]
  violation: Outcome['violation']
  log: string[]
}

/** Shrinks a failed run, runs what is left once more with its log, and writes it down. */
export async function record(file: string, specification: Specification, outcome: Outcome): Promise<RecordedRun> {
  const faults = await shrink(specification, outcome)
  const last = await simulate({ ...specification, faults }, true)
  const run: RecordedRun = { format: 1, seed: outcome.seed, faults, violation: last.violation, log: last.log }
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(run, null, 1)}\n`)
  return run
}

export async function replay(file: string): Promise<{ recorded: RecordedRun; outcome: Outcome }> {
  const recorded = JSON.parse(await readFile(file, 'utf8')) as RecordedRun
  return { recorded, outcome: await simulate({ seed: recorded.seed, faults: recorded.faults }, true) }
}

/** A failure for people: what is broken, by which faults, and how to see it again. */
export function describeFailure(run: RecordedRun, file: string): string {
  const faults = run.faults.map((fault) => `  ${describeFault(fault)}`)
  return [
    `seed ${run.seed}: ${run.violation?.message ?? 'cannot be seen again'}`,
    faults.length === 0 ? '  without any fault' : `with these faults left of its list:\n${faults.join('\n')}`,
    `again: SIM_SEED=${run.seed} npm run test:sim`,
    `with its log: npm run test:sim -- --replay ${file}`,
  ].join('\n')
}
