import { compiling } from './compiling.ts'
import { core } from './core.ts'
import { databases } from './databases.ts'
import { deployments } from './deployments.ts'
import { edges } from './edges.ts'

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

export const sabotages: readonly Sabotage[] = [...core, ...compiling, ...deployments, ...edges, ...databases]
