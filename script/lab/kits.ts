import { existsSync } from 'node:fs'
import type { Kit } from '../../kinds/testing/kit.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'

/** What carries plans of a kind out without a world, as the kind's folder has it. Throws `unsupported`. */
export async function kitOf(kind: string): Promise<Kit> {
  const file = new URL(`../../kinds/${kind}/testing/kit.ts`, import.meta.url)
  if (!existsSync(file)) {
    const message = `the lab cannot carry out plans of kind ${kind}: it has no kinds/${kind}/testing/kit.ts`
    throw new RemodelError('unsupported', message)
  }
  const { kit } = (await import(file.href)) as { kit: Kit }
  return kit
}
