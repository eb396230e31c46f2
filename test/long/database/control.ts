import { rm } from 'node:fs/promises'
import { copySources, runTest, workIn } from '../../sabotage/copy.ts'
import { sabotages } from '../../sabotage/sabotages.ts'

/**
 * `npm run test:handovers-control`: the handovers of `handover.test.ts` on a copy of the sources without the checks, where rows must be
 * lost: a test that loses none there would find nothing. HANDOVER_SEED and HANDOVER_RUNS as for the test. Ends with 1 where none is lost.
 */
const off = [
  'an heir that follows nobody is switched over to first',
  'a primary is stopped before it was asked about its heir',
  'an heir is promoted without the end of the log',
  'a fail-over takes the best of the replicas that happen to run',
]

const copy = await copySources()
try {
  for (const name of off) {
    const sabotage = sabotages.find((one) => one.name === name)
    if (!sabotage || !(await workIn(sabotage, copy))) throw new Error(`there is no sabotage: ${name}`)
  }
  const env = { HANDOVER_RUNS: process.env.HANDOVER_RUNS ?? '20' }
  const { stdout } = await runTest(copy, 'test/long/database/handover.test.ts', [], env)
  const summary = /handovers (\{"seed".*\})$/m.exec(stdout)?.[1]
  console.log(summary ?? stdout)
  const lost = summary === undefined ? 0 : Number(JSON.parse(summary).lost)
  console.log(lost > 0 ? `without the checks ${lost} rows are lost` : 'nothing is lost without the checks')
  process.exitCode = lost > 0 ? 0 : 1
} finally {
  await rm(copy, { recursive: true, force: true })
}
