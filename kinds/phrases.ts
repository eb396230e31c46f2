import type { SayReason } from '../shared/model/reason.ts'
import { loadExtensions } from '../shared/runtime/extensions.ts'
import { builtIn } from './built-in.ts'

interface KindModule {
  default: { recognises: unknown; phrases?(): Promise<SayReason> }
}

const byName = new Map<string, () => Promise<KindModule>>(Object.entries(builtIn))

/** How a kind says the reasons of its plans; of a kind that is not known here the codes are shown as words. */
export async function phrasesOf(kind: string): Promise<SayReason | undefined> {
  const load = byName.get(kind)
  if (load) return (await load()).default.phrases?.()
  const extension = (await loadExtensions()).find(({ name }) => name === kind)
  return extension?.phrases as SayReason | undefined
}
