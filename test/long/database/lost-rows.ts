import { runTest } from '../../sabotage/copy.ts'
import { withoutChecks } from '../../sabotage/without.ts'

/**
 * Runs a test without these checks and prints its summary, the line `<word> {"seed": ..., "lost": n}`. The process ends
 * with 1 where no row is lost: such a test would find nothing.
 */
export async function requireLostRows(
  off: readonly string[],
  { file, word, env }: { file: string; word: string; env: Record<string, string> },
): Promise<void> {
  const { stdout } = await withoutChecks(off, (copy) => runTest(copy, file, [], env))
  const summary = new RegExp(`${word} (\\{"seed".*\\})$`, 'm').exec(stdout)?.[1]
  console.log(summary ?? stdout)
  const lost = summary === undefined ? 0 : Number(JSON.parse(summary).lost)
  console.log(lost > 0 ? `without the checks ${lost} rows are lost` : 'nothing is lost without the checks')
  process.exitCode = lost > 0 ? 0 : 1
}
