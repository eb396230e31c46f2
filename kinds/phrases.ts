import type { SayReason } from '../shared/model/reason.ts'
import { loadExtensions } from '../shared/runtime/extensions.ts'
import { builtIn } from './built-in.ts'

/** How a kind says the reasons of its plans; of a kind that is not known here the codes are shown as words. */
export async function phrasesOf(kind: string): Promise<SayReason | undefined> {
  if (Object.hasOwn(builtIn, kind)) return (await builtIn[kind]!()).default.phrases?.()
  const extension = (await loadExtensions()).find(({ name }) => name === kind)
  return extension?.phrases as SayReason | undefined
}
