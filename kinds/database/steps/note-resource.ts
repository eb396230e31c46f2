import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { recorded } from '../server/record.ts'

/** A resource that is a record and no more: nothing in the world changes with it. */
export default defineStep({
  input: inputs['note-resource'],
  look: async (context, input) => recorded(context, input),
  apply: async () => {},
  verify: async (context, input) => recorded(context, input),
})
