import { archiveSlot } from '../postgres/names.ts'

export const sizeText = (bytes: number) =>
  bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`

/**
 * Whom a slot is for, in words of the document: `n2`, `n1-b`, `the archive`; one that was made by hand keeps its
 * name.
 */
export function readerOf(slot: string, node: string): string {
  if (slot === archiveSlot) return 'the archive'
  if (slot.startsWith(`remodel_${node}_`)) return slot.slice(`remodel_${node}_`.length)
  return slot.startsWith(`instance_${node}_`) ? `${node}-${slot.slice(`instance_${node}_`.length)}` : slot
}
