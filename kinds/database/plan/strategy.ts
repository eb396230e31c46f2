import { z } from 'zod'
import { Target } from '../archive/chain.ts'
import { node } from './operations/operations.ts'

/** A fault without its message: where in the document something is. */
const Fault = z.object({
  file: z.string().exactOptional(),
  line: z.number().exactOptional(),
  column: z.number().exactOptional(),
  path: z.string().exactOptional(),
  message: z.string(),
  found: z.string().exactOptional(),
  allowed: z.string().exactOptional(),
})

/** That a node is to have data from an archive, as the document asks for it. */
export const RestoreRequest = z.object({
  /** Of what is asked for: the same for all nodes that one `restore_config` is for. */
  key: z.string(),
  deployment: z.string(),
  /** Null: any, and the same for all that are restored by this request. */
  node: z.string().nullable(),
  /** The document asks for it as a whole: nodes that are added later are filled from those that stand. */
  shared: z.boolean(),
  database: z.string(),
  target: Target,
  set: z.string().nullable(),
  /** Where it is in the document. */
  place: Fault,
})
export type RestoreRequest = z.infer<typeof RestoreRequest>

/** What the foreman needs beside the materials: the nodes as the operations take them. */
export const Strategy = z.object({
  database: z.string(),
  nodes: z.array(node),
  hosts: z.array(z.string()),
  /** Node -> its hosts in the order of the document. */
  hostsOf: z.record(z.string(), z.array(z.string())),
  /** Node -> the path of what decides its port. */
  ports: z.record(z.string(), z.string()),
  /** Node -> the instance that is to take writes, where the document says so. */
  primaries: z.record(z.string(), z.string()),
  /** Node -> what it is to be restored from. */
  restores: z.record(z.string(), RestoreRequest),
  /** Node -> where it is in the document; only where something is to be restored. */
  places: z.record(z.string(), Fault),
  updateStrategy: z.enum(['rolling', 'concurrent']),
  force: z.boolean(),
  dataLoss: z.boolean(),
})
export type Strategy = z.infer<typeof Strategy>
