import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { FieldCase } from '../field/field-case.ts'
import { Machines } from '../field/machines.ts'
import { ruleOf } from '../field/rules.ts'
import type { Suite, Verdict } from './suite.ts'

/** Inputs that failed when they were tried by hand: those that a script can run, each held to what is right. */
export const field: Suite = {
  async run(folder, only) {
    const machines = new Machines()
    try {
      const verdicts: Verdict[] = []
      for (const name of await foldersIn(folder)) {
        if (name.startsWith(only)) verdicts.push(...(await judgeFolder(join(folder, name), name, machines)))
      }
      return verdicts
    } finally {
      await machines.close()
    }
  },
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
}

/** Nothing, where no rule says what a script can do with the inputs of the folder. */
export async function judgeFolder(folder: string, name: string, machines: Machines): Promise<Verdict[]> {
  const rule = ruleOf(name)
  if (!rule) return []
  const one = new FieldCase(folder, machines)
  try {
    await one.check('its inputs can be run', () => rule(one))
  } finally {
    await one.close()
  }
  // That a rule went through is a finding only where it did not.
  const findings = one.findings.filter(({ wrong }, at) => wrong !== undefined || at < one.findings.length - 1)
  return findings.map(({ name: what, wrong }) =>
    wrong === undefined
      ? { file: name, name: what, verdict: 'passed' }
      : { file: name, name: what, verdict: 'failed', found: wrong },
  )
}
