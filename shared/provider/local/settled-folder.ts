import { statSync } from 'node:fs'

/** Two changes that lie closer together may have the same time: the kernel's clock for files ticks every few ms. */
const tickMs = 100

/**
 * What a folder was like when it was looked at: as long as it answers the same, nothing was made, taken away or renamed
 * in it since. What happened inside of its subfolders does not show. Undefined where it has changed just now, so that
 * another change might not show, and where it is not there.
 */
export function settledStamp(folder: string): string | undefined {
  const found = statSync(folder, { bigint: true, throwIfNoEntry: false })
  if (!found) return undefined
  const ageMs = Date.now() - Number(found.ctimeNs / 1_000_000n)
  return ageMs > tickMs ? `${found.dev} ${found.ino} ${found.ctimeNs}` : undefined
}
