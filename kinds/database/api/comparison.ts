import { z } from 'zod'

/** A row that is not the same on all nodes. */
const DifferingRow = z.object({
  /** Column -> value, as PostgreSQL writes it. */
  key: z.record(z.string(), z.string()),
  /** Node -> a digest of its row; null where it has none. */
  on: z.record(z.string(), z.string().nullable()),
})
export type DifferingRow = z.infer<typeof DifferingRow>

export const ComparedTable = z.object({
  /** `schema.name`. */
  name: z.string(),
  /**
   * `changing`: it differs, and every look finds it changed: rows on their way cannot be
   * distinguished from missing ones.
   */
  state: z.enum(['same', 'differs', 'changing']),
  /** It has a key by which rows are distinguished. */
  keyed: z.boolean(),
  /** Node -> its rows, those that are written meanwhile in part; null where the node has no such table. */
  rows: z.record(z.string(), z.number().nullable()),
  /** Node -> a sum of the digests of its rows, the same for the same rows in any order. */
  digests: z.record(z.string(), z.string()),
  /** Node -> columns that others have and it has not: only what all have is compared. */
  lacking: z.record(z.string(), z.array(z.string())),
  /** The first ones, by their key. Empty where there is no key. */
  differing: z.array(DifferingRow),
  /** There are more of them. */
  more: z.boolean(),
})
export type ComparedTable = z.infer<typeof ComparedTable>

/** What the nodes of a database have, table by table. */
export const Comparison = z.object({
  nodes: z.array(z.string()),
  tables: z.array(ComparedTable),
  /** Links whose reader has not got, within the time that is given for it, what was written before: a sentence each. */
  behind: z.array(z.string()),
})
export type Comparison = z.infer<typeof Comparison>
