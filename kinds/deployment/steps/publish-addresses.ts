import { canonical } from '../../../shared/model/canonical.ts'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { writeAddresses } from '../instance/addresses.ts'

/**
 * Tells every machine of a deployment where the others are: `/etc/hosts` for programs, `dns/records.json` for jobs that
 * follow changes. A machine that does not answer is left out and named: it concerns its own instance only.
 */
export default defineStep({
  input: inputs['publish-addresses'],
  look: async () => null,
  async apply(context, input) {
    const table = Buffer.from(canonical(input.records))
    await context.blobs.put(table, input.table)
    const missed: string[] = []
    await Promise.all(
      input.vms.map(async (vm) => {
        try {
          const connection = await context.provider.connect(vm, context.fence)
          try {
            await writeAddresses(connection, vm, table)
          } finally {
            connection.close()
          }
        } catch (error) {
          if (error instanceof RemodelError && error.code === 'superseded') throw error
          context.log.warn({ vm, err: toError(error) }, 'addresses were not published to this machine')
          missed.push(vm)
        }
      }),
    )
    if (missed.length > 0) context.say(`not told: ${missed.join(', ')}`)
  },
  verify: async (context, input) => ({
    floorplan: {
      [context.material]: input.records.length > 0 ? { attributes: { table: input.table }, needs: [], meta: {} } : null,
    },
  }),
})
