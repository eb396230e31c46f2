import { rm } from 'node:fs/promises'
import { copySources, workIn } from './copy.ts'
import { sabotages } from './sabotages.ts'

/** Does `work` with a copy of the sources from which these checks, by the names of their sabotages, were taken out. */
export async function withoutChecks<Result>(
  names: readonly string[],
  work: (copy: string) => Promise<Result>,
): Promise<Result> {
  const copy = await copySources()
  try {
    for (const name of names) {
      const sabotage = sabotages.find((one) => one.name === name)
      if (!sabotage || !(await workIn(sabotage, copy))) throw new Error(`there is no sabotage: ${name}`)
    }
    return await work(copy)
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}
