import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { requireLostRows } from './lost-rows.ts'

/**
 * `npm run test:database-histories -- [--runs N] [--from N] [--seed S] [--fault F] [--at-once P]`: the histories of
 * `histories.test.ts`, by a seed that is printed, from one of them on; with F as the fault of each chapter; P processes
 * share them.
 * `npm run test:database-histories-control` runs them on a copy of the sources without the checks, where rows must be
 * lost: histories that lose none there would find nothing. Ends with 1 where one fails; the control, where none is
 * lost.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    from: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    fault: { type: 'string' },
    'at-once': { type: 'string', default: '1' },
    control: { type: 'boolean', default: false },
  },
})
const env = {
  HISTORY_RUNS: values.runs,
  HISTORY_FROM: values.from,
  HISTORY_SEED: values.seed,
  ...(values.fault ? { HISTORY_FAULT: values.fault } : {}),
}
const file = 'test/long/database/histories.test.ts'
const off = ['a node goes undrained', 'a node that does not answer goes', 'a node that is added lets clients in']

console.log(`seed ${values.seed}, ${values.runs} histories from ${values.from}`)
if (values.control) await requireLostRows(off, { file, word: 'histories', env })
else {
  const config = ['--config', 'test/long/database/vitest.config.ts']
  const shares = Number(values['at-once'])
  const ended = await Promise.all(
    Array.from({ length: shares }, (_, index) =>
      execa('vitest', ['run', ...config, file], {
        preferLocal: true,
        reject: false,
        stdio: 'inherit',
        env: { ...env, HISTORY_SHARE: `${index + 1}/${shares}` },
      }),
    ),
  )
  process.exitCode = Math.max(...ended.map(({ exitCode }) => exitCode ?? 1))
}
