import { requireLostRows } from './lost-rows.ts'

/**
 * `npm run test:handovers-control`: the handovers of `handover.test.ts` on a copy of the sources without the checks,
 * where rows must be lost: a test that loses none there would find nothing. HANDOVER_SEED and HANDOVER_RUNS as for the
 * test. Ends with 1 where none is lost.
 */
const off = [
  'an heir that follows no server is switched over to first',
  'a primary is stopped before it was asked about its heir',
  'an heir is promoted without the end of the log',
  'a fail-over takes the best of the replicas that happen to run',
]

await requireLostRows(off, {
  file: 'test/long/database/handover.test.ts',
  word: 'handovers',
  env: { HANDOVER_RUNS: process.env.HANDOVER_RUNS ?? '20' },
})
