import type { Variables } from '../shared/runtime/settings.ts'
import { builtIn } from './built-in.ts'

interface KindModule {
  default: { recognises: unknown; variables?(): Promise<Variables> }
}

const kinds: readonly (() => Promise<KindModule>)[] = Object.values(builtIn)

/** What each kind reads of the environment. */
export async function variablesOfKinds(): Promise<Variables[]> {
  const found = await Promise.all(kinds.map(async (load) => (await load()).default.variables?.()))
  return found.filter((one) => one !== undefined)
}
