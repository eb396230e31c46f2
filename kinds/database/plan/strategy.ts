import type { Fault } from '../../../shared/runtime/errors.ts'
import type { Target } from '../archive/chain.ts'
import type { NodeResources } from './operations/operations.ts'

/** That a node is to have data from an archive, as the document asks for it. */
export interface RestoreRequest {
  /** Of what is asked for: the same for all nodes that one `restore_config` is for. */
  key: string
  deployment: string
  /** Null: any, and the same for all that are restored by this request. */
  node: string | null
  /** The document asks for it as a whole: nodes that are added later are filled from those that stand. */
  shared: boolean
  database: string
  target: Target
  set: string | null
  /** Where it stands in the document. */
  place: Fault
}

/** What the foreman needs beside the materials: the nodes as the operations take them. */
export interface Strategy {
  database: string
  nodes: NodeResources[]
  hosts: string[]
  /** Node -> its hosts in the order of the document. */
  hostsOf: Record<string, string[]>
  /** Node -> the path of what decides its port. */
  ports: Record<string, string>
  /** Node -> the instance that is to take writes, where the document says so. */
  primaries: Record<string, string>
  /** Node -> what it is to be restored from. */
  restores: Record<string, RestoreRequest>
  /** Node -> where it stands in the document; only where something is to be restored. */
  places: Record<string, Fault>
  updateStrategy: 'rolling' | 'concurrent'
  force: boolean
  dataLoss: boolean
}
