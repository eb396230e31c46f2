import { type BigIntStats, statSync, utimesSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * What a folder was like when it was looked at: as long as it answers the same, nothing was made, taken away or renamed
 * in it since. What happened inside of its subfolders does not show. Undefined where another change might get the same
 * time as the last one, so that it might not show, and where the folder is not there.
 */
export function settledStamp(folder: string): string | undefined {
  const found = look(folder)
  if (!found) return undefined
  const now = clockOf(dirname(folder))
  // A change from now on has this time or a later one. A clock that was set back is before the change: not settled.
  if (now === undefined || now.dev !== found.dev || now.ctimeNs <= found.ctimeNs) return undefined
  return `${found.dev} ${found.ino} ${found.ctimeNs}`
}

/**
 * The clock by which a file system dates changes, read by a change of a folder's own dates. It is not the one that a
 * process reads: it stands still between two ticks of the kernel, for longer where the host of a virtual machine does
 * not run the processor that counts them, and some file systems keep whole seconds.
 */
function clockOf(folder: string): BigIntStats | undefined {
  try {
    const today = new Date()
    utimesSync(folder, today, today)
  } catch {
    // The folder of another user: what is in it is read each time.
    return undefined
  }
  return look(folder)
}

function look(folder: string): BigIntStats | undefined {
  return statSync(folder, { bigint: true, throwIfNoEntry: false })
}
