import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { shell } from '../../contract/shell.ts'
import { defineStep, type StepContext, type StepResult } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { appliedFile } from '../instance/applied.ts'
import { runDrain } from '../instance/drain.ts'
import { stopTimeoutMs } from '../instance/processes.ts'
import { runHook } from '../instance/scripts.ts'

/** pre-stop, drain, stop, post-stop. A machine that is gone has stopped; what was stopped is recorded as stopped. */
export default defineStep({
  input: inputs['stop-instance'],
  look: async (context, input) =>
    (await context.provider.findVm(input.vm))?.state === 'running' ? null : stopped(context, input),
  async apply(context, input) {
    const connection = await context.provider.connect(input.vm, context.fence)
    const { signal } = context
    try {
      const states = Object.fromEntries(
        Object.entries(input.next).map(([what, state]) => [`BOSH_${what.toUpperCase()}_NEXT_STATE`, state]),
      )
      if (!input.skipDrain) {
        context.say('executing pre-stop')
        await runHook(connection, input.jobs, 'pre-stop', { signal, env: states })
        context.say('executing drain')
        await Promise.all(input.jobs.map((job) => runDrain(connection, job, input, signal)))
      }
      await failpoint('stop-instance.drained')
      await shell(connection, 'rm -f "$1"', [appliedFile])
      context.say('stopping jobs')
      await connection.stop(stopTimeoutMs)
      await failpoint('stop-instance.stopped')
      context.say('executing post-stop')
      await runHook(connection, input.jobs, 'post-stop', { signal })
    } finally {
      connection.close()
    }
  },
  verify: async (context, input) => stopped(context, input),
})

function stopped(context: StepContext, input: { vm: string; attributes: object }): StepResult {
  return {
    floorplan: { [context.material]: { attributes: { ...input.attributes }, needs: [], meta: { vm: input.vm } } },
  }
}
