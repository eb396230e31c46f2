import { compiling } from './compiling.ts'
import { databasePlans } from './database-plans.ts'
import { databaseServers } from './database-servers.ts'
import { deployments } from './deployments.ts'
import { documents } from './documents.ts'
import { edges } from './edges.ts'
import { healing } from './healing.ts'
import { ledger } from './ledger.ts'
import { ledgerGraph } from './ledger-graph.ts'
import { ledgerScripts } from './ledger-scripts.ts'
import { lifecycle } from './lifecycle.ts'
import { machines } from './machines.ts'
import { planning } from './planning.ts'
import { postgres } from './postgres.ts'
import { running } from './running.ts'

/**
 * Single-line sabotages of what the guarantees rest on. Each must be caught by a test: a guarantee whose
 * mechanism can be taken out without any test failing is only a hope. `docs/guarantees.md` lists them, and each
 * guarantee has one at least.
 */
export interface Sabotage {
  name: string
  /** The number of the guarantee in `docs/guarantees.md` that it takes away. */
  guarantee: number
  file: string
  /** Must stand in the file exactly once. */
  find: string
  replace: string
  /** The test file that has to fail. */
  caughtBy: string
}

export const sabotages: readonly Sabotage[] = [
  ...compiling,
  ...databasePlans,
  ...databaseServers,
  ...deployments,
  ...documents,
  ...edges,
  ...healing,
  ...ledger,
  ...ledgerGraph,
  ...ledgerScripts,
  ...lifecycle,
  ...machines,
  ...planning,
  ...postgres,
  ...running,
]
