import { z } from 'zod'

/** A link of two nodes that carries nothing: why, and what a person may do about it. */
export const StoppedLink = z.object({
  from: z.string(),
  to: z.string(),
  why: z.string(),
  table: z.string().nullable(),
  key: z.string().nullable(),
  /** Statements, any of which makes the link go on, each with what it does. They are to be run on `to`. */
  repair: z.array(z.object({ statement: z.string(), meaning: z.string() })),
})
export type StoppedLink = z.infer<typeof StoppedLink>

/** What a server of a database says of itself now. Bytes are of its write-ahead log; null: it does not say. */
export const DatabaseServer = z.object({
  database: z.string(),
  port: z.int(),
  node: z.string(),
  host: z.string(),
  role: z.enum(['primary', 'replica']).nullable(),
  /** How much it has: what a primary wrote, what a replica received. */
  receivedBytes: z.number().nullable(),
  /** Of a replica: what it was sent and has not applied; null where it follows no server. */
  lagBytes: z.number().nullable(),
  /**
   * Of a primary: the nodes that read from it, and what they have not confirmed. Seconds: null where they are not
   * known.
   */
  peers: z.array(
    z.object({ node: z.string(), connected: z.boolean(), lagBytes: z.number(), lagSeconds: z.number().nullable() }),
  ),
  /** Of a primary: what it gets from other nodes no more, why, and the statements that repair it. */
  stopped: z.array(StoppedLink),
  /**
   * Of a primary whose log is archived: everything that was committed up to then is in the archive (milliseconds, by
   * the server's clock; null: nothing is yet). `late`: a row has been waiting for long; of a database that no client
   * writes to that is never so.
   */
  archive: z.object({ archivedAt: z.number().nullable(), late: z.boolean() }).nullable(),
  /** As it says itself: `18.1`. */
  version: z.string().nullable(),
  /** Milliseconds since the epoch, by its own clock. */
  startedAt: z.number().nullable(),
  /** Of a primary: sessions whose commit waits for a replica. */
  waitingCommits: z.int().nullable(),
  /** Readers that it keeps its log for, and how much of it: a server, a node, or the archive. */
  slots: z.array(z.object({ reader: z.string(), connected: z.boolean(), keptBytes: z.number() })),
  /** Where its data and its log are: of two disks the one with less left. */
  disk: z.object({ freeBytes: z.number(), totalBytes: z.number() }).nullable(),
  /** Directories on its disk with data that was put aside, as it had more than the primary it was copied from. */
  kept: z.array(z.string()),
  /**
   * It lets no client in: `added`: its node is being added; else its node was to go, or is being opened. Empty: it
   * does.
   */
  closed: z.string().default(''),
  /**
   * How clients come in encrypted; `ends`: when its certificate does; `ca`: the certificate of the CA, PEM. Null: not
   * at all.
   */
  tls: z
    .object({
      mode: z.enum(['on', 'required']),
      begins: z.number().nullable(),
      ends: z.number().nullable(),
      ca: z.string().nullable(),
    })
    .nullable()
    .default(null),
})
export type DatabaseServer = z.infer<typeof DatabaseServer>
