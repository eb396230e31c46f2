/**
 * Class of Remodel's advisory locks: the first of two keys, "REMO" in ASCII. Locks of two keys are apart from those of
 * one key, and an application that shares the database has no reason to take this class.
 */
const lockClass = 0x52454d4f

/** Taken while something in the schema `remodel` is made: `IF NOT EXISTS` is no lock. */
export const schemaLock = `${lockClass}, 0`

/**
 * Of a class beside that: taken on a node by statements that make tables on several nodes, until all nodes have them;
 * shared by steps that take in the tables that another node has. Between two of these commits one node has a table and
 * another one has not, and what is refreshed then leaves it out for good.
 */
export const tablesLock = `${lockClass + 1}, 0`

/** Of one fence's scope; `key` is 32 bits of a hash of it, never 0. */
export function scopeLock(hash: Buffer): string {
  return `${lockClass}, ${hash.readInt32BE(0) || 1}`
}
