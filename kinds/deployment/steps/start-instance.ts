import type { z } from 'zod'
import type { Connection } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { begunFor, noteBegun } from '../../contract/begun.ts'
import { shell } from '../../contract/shell.ts'
import { defineStep, type StepContext, type StepResult } from '../../contract/step.ts'
import { noteFiles } from '../deployed-files.ts'
import { inputs } from '../inputs.ts'
import { appliedDigest, appliedFile, startedFile } from '../instance/applied.ts'
import { writableForVcap } from '../instance/furnish.ts'
import { checksOf } from '../instance/health-checks.ts'
import { processesOf, stopTimeoutMs } from '../instance/processes.ts'
import { runHook } from '../instance/scripts.ts'
import { watchUntilHealthy } from '../instance/watch.ts'

type Input = z.infer<(typeof inputs)['start-instance']>

/**
 * Switches an instance to what was prepared and starts it:
 *
 *   prepared  -- links, pre-start, start -->  started: written down on the machine
 *   started   -- every process has been up for long enough: no worker waits for that -->  healthy
 *   healthy   -- post-start -->  applied
 */
export default defineStep({
  input: inputs['start-instance'],
  async look(context, input) {
    const connection = await context.provider.connect(input.vm, context.fence)
    try {
      const applied = await connection.exec(['cat', appliedFile])
      if (applied.stdout.trim() !== appliedDigest(input)) return null
      const processes = await connection.status()
      return processes.every((process) => process.state === 'running') ? recorded(context, input) : null
    } finally {
      connection.close()
    }
  },
  async apply(context, input) {
    const connection = await context.provider.connect(input.vm, context.fence)
    const { plan, signal } = context
    const jobs = input.jobs.map((job) => job.name)
    const begun = { plan, what: appliedDigest(input) }
    try {
      let startedMs = await begunFor(connection, startedFile, begun)
      if (startedMs === null) {
        // Processes of an attempt that failed run as they were then, also where the job has changed since.
        await connection.stop(stopTimeoutMs)
        await link(connection, input)
        await connection.supervise(await processesOf(connection, jobs))
        await failpoint('start-instance.linked')
        context.say('executing pre-start')
        await runHook(connection, jobs, 'pre-start', { signal })
        context.say('starting jobs')
        await connection.start()
        await noteBegun(connection, startedFile, begun)
        startedMs = 0
        await failpoint('start-instance.started')
      }
      context.say('watching until healthy')
      const { networks, checks: given = {} } = input.attributes
      const checks = await checksOf(connection, jobs, given, networks[0]?.address ?? '127.0.0.1')
      const afterMs = await watchUntilHealthy(connection, { ...input.watch, checks, startedMs }, signal)
      if (afterMs !== null)
        return { for: `${input.instance} being healthy for ${Math.ceil(input.watch.minMs / 1000)} s`, afterMs }
      context.say('executing post-start')
      await runHook(connection, jobs, 'post-start', { signal })
      await shell(connection, noteFiles)
      await connection.write(appliedFile, appliedDigest(input))
      await failpoint('start-instance.healthy')
    } finally {
      connection.close()
    }
  },
  verify: async (context, input) => recorded(context, input),
})

function recorded(context: StepContext, input: Input): StepResult {
  const voids = Object.fromEntries((input.voids ?? []).map((id) => [id, null]))
  return {
    floorplan: {
      ...voids,
      [context.material]: { attributes: { ...input.attributes }, needs: [], meta: { vm: input.vm } },
    },
  }
}

/** Points `/var/vcap/jobs` and `/var/vcap/packages` at what was prepared, and tells the machine who it is. */
async function link(connection: Connection, input: Input): Promise<void> {
  const links = [
    ...input.jobs.map((job) => [`${layout.jobs}/${job.name}`, layout.jobData(job.name, job.rendered)]),
    ...input.packages.map((item) => [`${layout.packages}/${item.name}`, layout.packageData(item.name, item.key)]),
  ]
  const script = [
    `find ${layout.jobs} ${layout.packages} -mindepth 1 -maxdepth 1 -type l -delete`,
    ...links.map(([at, to]) => `ln -sfn '${to}' '${at}'`),
    ...input.jobs.map(({ name }) =>
      writableForVcap(`${layout.log}/${name} ${layout.run}/${name} ${layout.data}/${name}`),
    ),
  ].join('\n')
  await shell(connection, script)
  const facts = {
    id: input.instance,
    name: input.instance.split('/')[0] ?? '',
    index: String(input.index),
    az: input.attributes.az ?? '',
    deployment: input.deployment,
  }
  await Promise.all(Object.entries(facts).map(([name, value]) => connection.write(`${layout.instance}/${name}`, value)))
}
