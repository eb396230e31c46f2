import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { rehearse } from '../server/rehearsal.ts'

/**
 * Before a plan changes anything: a server that exists could start with the settings that it is to
 * have. Changes nothing.
 */
export default defineStep({
  input: inputs.rehearse,
  look: async () => null,
  async apply(context, { instance }) {
    // One that is gone is made anew, and is rehearsed then.
    if ((await context.provider.findVm(instance.vm))?.state !== 'running') return
    const connection = await context.provider.connect(instance.vm, context.fence)
    try {
      await rehearse(connection, instance)
    } finally {
      connection.close()
    }
  },
  verify: async () => ({ floorplan: {} }),
})
