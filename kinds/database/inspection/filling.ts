import { readerOf, sizeText } from '../plan/texts.ts'
import type { Server } from './servers.ts'

/**
 * Slots that keep more than a quarter of what the disk has, and those that are to be ended before as much again is
 * written.
 */
export function fillingSlots({ keeping, node }: Pick<Server, 'keeping' | 'node'>, disk: number): string[] {
  return keeping.flatMap(({ slot, bytes, left }) => {
    const isMuch = disk > 0 && bytes > disk / 4
    const isNearEnd = left !== null && bytes > 2 ** 20 && left < bytes
    if (!isMuch && !isNearEnd) return []
    const end = left === null ? 'until the disk is full' : `and ${sizeText(Math.max(0, left))} more ends its slot`
    return [`keeps ${sizeText(bytes)} of its log for ${readerOf(slot, node)}, which has not read it: ${end}`]
  })
}
