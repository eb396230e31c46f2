/**
 * Class of Remodel's advisory locks: the first of two keys, "REMO" in ASCII. Locks of two keys are apart from those of one key, and an
 * application that shares the database has no reason to take this class.
 */
const lockClass = 0x52454d4f

/** Taken while something in the schema `remodel` is made: `IF NOT EXISTS` is no lock. */
export const schemaLock = `${lockClass}, 0`

/** Of one fence's scope; `key` is 32 bits of a hash of it, never 0. */
export function scopeLock(hash: Buffer): string {
  return `${lockClass}, ${hash.readInt32BE(0) || 1}`
}
