import { isBlobFault } from '../../../shared/compilation/sound-packages.ts'
import { layout } from '../../../shared/provider/layout.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { writeAddresses } from '../instance/addresses.ts'
import { furnish, readableForVcap } from '../instance/furnish.ts'
import { unpackOnce } from '../instance/unpack.ts'

/**
 * Puts compiled packages and rendered jobs on the machine, beside what runs there: directories named by their content,
 * so that nothing that runs is touched and the later switch is a few links.
 */
export default defineStep({
  input: inputs['prepare-instance'],
  look: async () => null,
  async apply(context, input) {
    const connection = await context.provider.connect(input.vm, context.fence)
    try {
      const compiled = await context.compiled.find(input.packages.map((item) => item.key))
      // Looked up before the first one is unpacked: no work is left running beside a failure.
      const packages = input.packages.map(({ name, key }) => {
        const found = compiled.get(key)
        if (!found) throw new RemodelError('infrastructure', `package ${name} is not compiled (${key.slice(0, 12)})`)
        return { name, key, found }
      })
      await furnish(connection)
      context.say('installing packages')
      await Promise.all(
        packages.map(({ name, key, found }) =>
          unpackOnce(connection, layout.packageData(name, key), () => context.blobs.stream(found.digest)).catch(
            async (error) => {
              // The next plan compiles it again.
              if (isBlobFault(error)) await context.compiled.drop(found)
              throw error
            },
          ),
        ),
      )
      context.signal.throwIfAborted()
      context.say('configuring jobs')
      await Promise.all(
        input.jobs.map(({ name, rendered }) =>
          unpackOnce(connection, layout.jobData(name, rendered), () => context.blobs.stream(rendered), readableForVcap),
        ),
      )
      if (input.addresses) await writeAddresses(connection, input.vm, await context.blobs.get(input.addresses))
      await failpoint('prepare-instance.prepared')
    } finally {
      connection.close()
    }
  },
  verify: async () => ({ floorplan: {} }),
})
