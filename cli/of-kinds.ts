import { builtIn } from '../kinds/built-in.ts'
import { loadExtensions } from '../shared/runtime/extensions.ts'
import type { OtherWords, VerbEntry } from './verb.ts'

const kinds = Object.values(builtIn)

/** The verbs that kinds bring along. */
export async function verbsOfKinds(): Promise<VerbEntry[]> {
  const verbs = await Promise.all(kinds.map(async (load) => (await (await load()).default.verbs?.()) ?? []))
  return verbs.flat() as VerbEntry[]
}

/** Throws `unsupported` where an extension cannot be loaded. */
export async function verbsOfExtensions(): Promise<VerbEntry[]> {
  return (await loadExtensions()).flatMap(({ verbs }) => (verbs ?? []) as VerbEntry[])
}

/** The first answer that a kind has to a word which the command does not know. */
export async function knownElsewhere(of: keyof OtherWords, word: string): Promise<string | undefined> {
  const words = (await Promise.all(kinds.map(async (load) => (await load()).default.otherWords?.()))) as (
    | OtherWords
    | undefined
  )[]
  return words.map((one) => one?.[of](word)).find((answer) => answer !== undefined)
}
