import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import { createStyle } from '../../cli/views/style.ts'
import { Lab } from '../../script/lab/lab.ts'
import { stepText } from '../../script/lab/steps.ts'
import { readLine, readSession } from '../../script/lab/written-step.ts'

const root = new URL('../..', import.meta.url).pathname

// Packed releases and rendered templates lie here, and not in the folder of the user who runs the tests.
const cache = mkdtempSync(join(tmpdir(), 'remodel-lab-'))
process.env.XDG_CACHE_HOME = cache
afterAll(() => rmSync(cache, { recursive: true, force: true }))

export function labWith(...documents: string[]): Promise<Lab> {
  return Lab.open({ documents: documents.map((one) => join(root, one)), style: createStyle(false), verbose: false })
}

/** What a line shows that is typed. */
export async function typed(lab: Lab, line: string): Promise<string> {
  return (await lab.take(readLine(line, 1)!)).join('\n')
}

/** What each step of a session shows. */
export async function playSession(file: string): Promise<{ step: string; shown: string }[]> {
  const { documents, steps } = readSession(file, readFileSync(join(root, file), 'utf8'))
  const lab = await labWith(...documents.map((one) => join(dirname(file), one)))
  const played: { step: string; shown: string }[] = []
  for (const written of steps)
    played.push({ step: stepText(written.step), shown: (await lab.take(written)).join('\n') })
  return played
}

/** The plans of a session, in their order. */
export function plansIn(played: readonly { step: string; shown: string }[]): string[] {
  return played.filter(({ step }) => /^plan\b/.test(step)).map(({ shown }) => shown)
}
