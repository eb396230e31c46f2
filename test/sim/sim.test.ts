import './hook.ts'
import { globSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { failpointsOf } from '../chaos/failpoints.ts'
import { failpoints } from './faults.ts'
import { describeFailure, record } from './record.ts'
import { simulate } from './run.ts'

const seeds = Number(process.env.SIM_RUNS ?? 2000)
const parts = 10

describe('the core, simulated under faults', () => {
  const killed = new Set<string>()

  test.for(Array.from({ length: parts }, (_, i) => i))(
    'keeps every guarantee and finishes when all heals, part %i',
    { timeout: 600_000 },
    async (part) => {
      for (let seed = part + 1; seed <= seeds; seed += parts) {
        const outcome = await simulate({ seed })
        for (const name of outcome.killed) killed.add(name)
        if (!outcome.violation) continue
        const file = `.remodel/sim/${seed}.json`
        expect.fail(describeFailure(await record(file, { seed }, outcome), file))
      }
    },
  )

  test('notices a numbering of fences that counts on from what Redis has not forgotten: the control run', {
    timeout: 600_000,
  }, async () => {
    const fences = /^(fences-unique|fences-grow|fence-shared|effect-once|stale-effect)$/
    for (let seed = 1; seed <= 300; seed++) {
      const { violation } = await simulate({ seed, blind: true })
      if (fences.test(violation?.rule ?? '')) return
    }
    expect.fail('300 seeds, and no loss of writes was noticed')
  })

  test('was killed at every durable boundary of the ledger, the dispatcher, the assembler and the compiler', () => {
    expect([...killed].sort()).toEqual([...failpoints].sort())
    for (const { name } of failpointsOf('simulator')) expect(killed).toContain(name)
  })

  test('knows every such boundary', () => {
    const root = new URL('../..', import.meta.url).pathname
    const files = globSync(['shared/**/*.ts', 'kinds/**/*.ts', 'services/**/*.ts'], { cwd: root })
    const found = files
      .filter((file) => !file.includes('/steps/') && !file.includes('/provider/'))
      .flatMap((file) => [
        ...readFileSync(`${root}/${file}`, 'utf8').matchAll(/await failpoint\('([^']+)'|\(failpoint\('([^']+)'/g),
      ])
      .map((match) => match[1] ?? match[2] ?? '')
      // Nothing is old enough to be forgotten in a simulated minute: test/chaos kills there.
      .filter((name) => /^(ledger\.(?!forgotten)|dispatch\.|assembler\.|compiler\.)/.test(name))
    expect([...new Set(found)].sort()).toEqual([...failpoints].sort())
  })

  test('runs the same way twice', async () => {
    for (const seed of [3, 30, 300]) {
      const [first, second] = [await simulate({ seed }, true), await simulate({ seed }, true)]
      expect(second.log).toEqual(first.log)
      expect(second.steps).toBe(first.steps)
    }
  })
})
