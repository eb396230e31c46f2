import type { Variables } from '../shared/runtime/settings.ts'
import { builtIn } from './built-in.ts'

/** What each kind reads of the environment. */
export async function variablesOfKinds(): Promise<Variables[]> {
  const found = await Promise.all(Object.values(builtIn).map(async (load) => (await load()).default.variables?.()))
  return found.filter((one) => one !== undefined)
}
