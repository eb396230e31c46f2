import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Verb } from './helper.ts'

/** A line of `effects.jsonl`: something that was really changed. A call that found its work done leaves none. */
export interface Effect {
  effect: Verb
  /** Of the VM; of the disk where the effect is about one. */
  id: string
  /** Where a disk was attached to or detached from. */
  vm?: string
  /** null where a sweep forced it. */
  scope: string | null
  fence: number | null
  /** Milliseconds since the epoch. */
  time: number
  /** The process that asked. */
  pid: number
}

/** All effects in the order they were made. */
export async function readEffects(directory: string): Promise<Effect[]> {
  const text = await readFile(join(directory, 'effects.jsonl'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Effect)
}
