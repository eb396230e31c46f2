import { defineStep, type StepResult } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'

/**
 * Records instances and disks under other names. Nothing about a machine changes, so there is nothing
 * to do but to record it.
 */
export default defineStep({
  input: inputs['rename-instances'],
  async look(context, { moves }) {
    const floorplan: StepResult['floorplan'] = {}
    for (const { from, to } of moves) {
      const actual = await context.actual(from)
      // A material that has the new name already was renamed by an attempt before.
      if (!actual) continue
      const { id: _, ...rest } = actual
      floorplan[to] = rest
      floorplan[from] = null
    }
    return { floorplan }
  },
  apply: async () => {},
  verify: async () => ({ floorplan: {} }),
})
