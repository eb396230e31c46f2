import { digestOfList } from '../../../../shared/model/canonical.ts'
import type { StepInput } from '../../inputs.ts'
import { postDeployId, rendersTo } from '../names.ts'
import type { GroupStrategy } from '../strategy.ts'
import type { Site } from './instance-steps.ts'
import type { StandingPlace } from './standing.ts'
import type { Task } from './task.ts'

/** The post-deploy scripts of a deployment: who has one, and what they run for. */
export interface PostDeploy {
  machines: StepInput<'run-post-deploy'>['machines']
  of: string
}

/**
 * All instances that have a post-deploy script, changed or not: it looks at the deployment, not at its own machine. A machine that
 * does not answer and is left alone is left out.
 */
export function postDeployOf(tasks: readonly Task[]): PostDeploy {
  const concerned = tasks.filter(
    ({ group, how, old }) => scriptsOf(group).length > 0 && !(how === 'none' && old?.health === 'unresponsive'),
  )
  return {
    machines: concerned.map(({ name, cid, group }) => ({ instance: name, vm: cid, jobs: scriptsOf(group) })),
    of: digestOfList(concerned.map(({ name, cid, attributes }) => [name, cid, attributes.configuration])),
  }
}

export function isOutstanding({ machines, of }: PostDeploy, standing: StandingPlace): boolean {
  return machines.length > 0 ? standing.postDeploy !== of : standing.postDeploy !== null
}

/** Runs them when everything else of the plan is done. */
export function runPostDeploy(site: Site, { machines, of }: PostDeploy): void {
  const runs = machines.length > 0
  site.writer.step(
    'run-post-deploy',
    site.deployment,
    { machines, of },
    {
      action: runs ? 'run' : 'delete',
      material: postDeployId(site.deployment),
      stage: 'Running post-deploy scripts',
      needs: site.writer.ends(),
      reasons: [runs ? 'the deployment has changed' : 'no job has a post-deploy script'],
      title: runs ? `run post-deploy scripts of ${site.deployment}` : 'forget post-deploy scripts',
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
