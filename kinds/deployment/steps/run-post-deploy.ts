import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { eachAtMost } from '../../../shared/runtime/parallel.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { runHook } from '../instance/scripts.ts'

/** As many machines at once as BOSH (`max_threads`). */
const atOnce = 32

/**
 * Runs the post-deploy scripts of a deployment, when all of it runs. All of them run, also where one fails; each that
 * fails is named, and the plan fails with them.
 */
export default defineStep({
  input: inputs['run-post-deploy'],
  look: async () => null,
  async apply({ provider, fence, signal, say }, { machines }) {
    const failed: { instance: string; error: RemodelError }[] = []
    say('executing post-deploy')
    await eachAtMost(atOnce, machines, async ({ instance, vm, jobs }) => {
      const connection = await provider.connect(vm, fence)
      try {
        await runHook(connection, jobs, 'post-deploy', { signal })
      } catch (error) {
        if (!(error instanceof RemodelError) || error.code !== 'job-failed') throw error
        failed.push({ instance, error })
      } finally {
        connection.close()
      }
    })
    if (failed.length > 0) throw failureOf(failed)
    await failpoint('run-post-deploy.run')
  },
  verify: async (context, { machines, of }) => ({
    floorplan: { [context.material]: machines.length > 0 ? { attributes: { of }, needs: [], meta: {} } : null },
  }),
})

function failureOf(failed: readonly { instance: string; error: RemodelError }[]): RemodelError {
  const sorted = [...failed].sort((a, b) => (a.instance < b.instance ? -1 : 1))
  const log = sorted.map(({ instance, error }) => `${instance}: ${error.details.log ?? ''}`).join('\n')
  return new RemodelError(
    'job-failed',
    sorted.map(({ instance, error }) => `${instance}: ${error.message}`).join('; '),
    {
      details: { log },
    },
  )
}
