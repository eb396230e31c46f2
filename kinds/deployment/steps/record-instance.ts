import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'

/** Records what a person wants of an instance. Nothing about its machine changes. */
export default defineStep({
  input: inputs['record-instance'],
  look: async (context, { vm, attributes }) => {
    const meta = vm === null ? {} : { vm }
    return { floorplan: { [context.material]: { attributes: { ...attributes }, needs: [], meta } } }
  },
  apply: async () => {},
  verify: async () => ({ floorplan: {} }),
})
