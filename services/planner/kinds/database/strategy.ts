import type { NodeResources } from './operations/operations.ts'

/** What the foreman needs beside the materials: the nodes as the operations take them. */
export interface Strategy {
  database: string
  nodes: NodeResources[]
  hosts: string[]
  /** Node -> the instance that is to take writes, where the document says so. */
  primaries: Record<string, string>
  updateStrategy: 'rolling' | 'concurrent'
  force: boolean
  dataLoss: boolean
}
