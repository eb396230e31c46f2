import { digestOfList } from '../../../../shared/model/canonical.ts'
import type { StepInput } from '../../inputs.ts'
import { postDeployId, rendersTo } from '../names.ts'
import type { GroupStrategy } from '../strategy.ts'
import type { IndexedFloorplan } from './actual.ts'
import type { Site } from './site.ts'
import { answers, type Decided } from './stages.ts'

/** The post-deploy scripts of a deployment: which machines have one, and what they run for. */
export interface PostDeploy {
  machines: StepInput<'run-post-deploy'>['machines']
  of: string
}

/**
 * All instances that have a post-deploy script, changed or not: it looks at the deployment, not at its own machine. A
 * machine that does not answer and is left alone is left out. None runs on one that is stopped or ignored.
 */
export function postDeployOf(instances: readonly Decided[]): PostDeploy {
  const concerned = instances.filter((one) => scriptsOf(one.group).length > 0 && answers(one))
  const running = concerned.filter(({ intents }) => intents.length === 0)
  return {
    machines: running.map(({ name, cid, group }) => ({ instance: name, vm: cid, jobs: scriptsOf(group) })),
    of: digestOfList(concerned.map(({ name, cid, attributes }) => [name, cid, attributes.configuration])),
  }
}

export function isOutstanding({ machines, of }: PostDeploy, actual: IndexedFloorplan): boolean {
  return machines.length > 0 ? actual.postDeploy !== of : actual.postDeploy !== null
}

/** Runs them when everything else of the plan is done. */
export function runPostDeploy({ writer, context }: Site, { machines, of }: PostDeploy): void {
  const { deployment } = context.wanted
  const runs = machines.length > 0
  writer.step(
    'run-post-deploy',
    deployment,
    { machines, of },
    {
      action: runs ? 'run' : 'delete',
      material: postDeployId(deployment),
      stage: 'Running post-deploy scripts',
      needs: writer.ends(),
      reasons: [{ code: runs ? 'deployment-changed' : 'no-post-deploy-script' }],
      ...(runs
        ? { verb: 'run', subject: `post-deploy scripts of ${deployment}` }
        : { verb: 'forget', subject: 'post-deploy scripts' }),
    },
  )
}

const known = new WeakMap<GroupStrategy, string[]>()

/** Names of the jobs of a group that have one. */
function scriptsOf(group: GroupStrategy): string[] {
  const names =
    known.get(group) ??
    group.jobs.filter(({ templates }) => rendersTo(templates, 'bin/post-deploy')).map(({ name }) => name)
  known.set(group, names)
  return names
}
