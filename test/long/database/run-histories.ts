import { randomInt } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { copySources, runTest, workIn } from '../../sabotage/copy.ts'
import { sabotages } from '../../sabotage/sabotages.ts'

/**
 * `npm run test:database-histories -- [--runs N] [--seed S]`: the histories of `histories.test.ts`, by a seed that is printed.
 * `npm run test:database-histories-control` runs them on a copy of the sources without the checks, where rows must be lost: histories
 * that lose none there would find nothing. Ends with 1 where one fails; the control, where none is lost.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    control: { type: 'boolean', default: false },
  },
})
const env = { HISTORY_RUNS: values.runs, HISTORY_SEED: values.seed }
const file = 'test/long/database/histories.test.ts'
const off = ['a node goes undrained', 'a node that does not answer goes']

console.log(`seed ${values.seed}, ${values.runs} histories`)
if (values.control) await control()
else {
  const config = ['--config', 'test/long/database/vitest.config.ts']
  const { exitCode } = await execa('vitest', ['run', ...config, file], {
    preferLocal: true,
    reject: false,
    stdio: 'inherit',
    env,
  })
  process.exitCode = exitCode ?? 1
}

async function control(): Promise<void> {
  const copy = await copySources()
  try {
    for (const name of off) {
      const sabotage = sabotages.find((one) => one.name === name)
      if (!sabotage || !(await workIn(sabotage, copy))) throw new Error(`there is no sabotage: ${name}`)
    }
    const { stdout } = await runTest(copy, file, [], env)
    const summary = /histories (\{"seed".*\})$/m.exec(stdout)?.[1]
    console.log(summary ?? stdout)
    const lost = summary === undefined ? 0 : Number(JSON.parse(summary).lost)
    console.log(lost > 0 ? `without the checks ${lost} rows are lost` : 'nothing is lost without the checks')
    process.exitCode = lost > 0 ? 0 : 1
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}
