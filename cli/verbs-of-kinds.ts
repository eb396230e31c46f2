import { builtIn } from '../kinds/built-in.ts'
import { loadExtensions } from '../shared/runtime/extensions.ts'
import type { VerbEntry } from './verb.ts'

/** A kind as the command sees it. */
interface KindModule {
  default: { open: unknown; verbs?: () => Promise<readonly VerbEntry[]> }
}

/** The verbs that kinds bring along, those of extensions with them. */
export async function verbsOfKinds(): Promise<VerbEntry[]> {
  const kinds: readonly (() => Promise<KindModule>)[] = Object.values(builtIn)
  const own = await Promise.all(kinds.map(async (load) => (await (await load()).default.verbs?.()) ?? []))
  const extensions = await loadExtensions()
  return [...own.flat(), ...extensions.flatMap(({ verbs }) => (verbs ?? []) as VerbEntry[])]
}
