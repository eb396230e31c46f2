import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { casesFolder } from '../support/cases.ts'
import type { Suite, Verdict } from './suite.ts'

const suites: Record<string, () => Promise<Suite>> = {
  pgedge: async () => (await import('./pgedge.ts')).pgedge,
  field: async () => (await import('./field.ts')).field,
}

/**
 * `npm run conformance -- pgedge|field [--json] [--cases FOLDER] [--only START]`
 *
 * Exit 0 when nothing failed, 1 when something did, 2 on wrong use.
 */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      cases: { type: 'string' },
      only: { type: 'string', default: '' },
    },
    allowPositionals: true,
  })
  const [name = 'pgedge'] = positionals
  const folder = values.cases ?? join(casesFolder, name)
  const suite = await suites[name]?.()
  if (!suite || !existsSync(folder)) {
    const known = Object.keys(suites).join(', ')
    console.error(`conformance: no cases of ${name} (${known}): name their folder with --cases, or REMODEL_CASES`)
    return 2
  }
  const verdicts = await suite.run(folder, values.only)
  const tally = tallyOf(verdicts)
  // With --json, standard output is one document.
  const tell = values.json ? console.error : console.log
  for (const { file, name, verdict, found } of verdicts) {
    if (verdict === 'failed') tell(`failed: ${file}: ${name}: ${found}`)
  }
  if (values.json) console.log(JSON.stringify(tally))
  else {
    const { passed, total, failed, notApplicable } = tally
    console.log(`${passed} of ${total} passed, ${failed} failed, ${notApplicable} not applicable`)
  }
  return tally.failed === 0 && tally.total > 0 ? 0 : 1
}

function tallyOf(verdicts: readonly Verdict[]) {
  const count = (verdict: Verdict['verdict']) => verdicts.filter((one) => one.verdict === verdict).length
  const [passed, failed, notApplicable] = [count('passed'), count('failed'), count('notApplicable')]
  return { total: verdicts.length, passed, failed, notApplicable }
}

process.exitCode = await main()
