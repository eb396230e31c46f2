import { z } from 'zod'
import type { Step } from '../kinds/contract/step.ts'

/** A kind whose remodels do nothing: what is left is the cost of Remodel itself. Loaded through REMODEL_EXTENSIONS. */
export const name = 'noop'

const nothing: Step = {
  input: z.unknown(),
  look: async () => ({ floorplan: {} }),
  apply: async () => {},
  verify: async () => ({ floorplan: {} }),
}

export const steps = { nothing }
