import { canonical } from '../../../../shared/model/canonical.ts'
import type { RemodelDraft } from '../../../contract/draft.ts'
import { InstanceAttributes } from '../../inputs.ts'
import { replicaFloors } from '../../postgres/settings.ts'
import type { DatabaseReason } from '../../reasons.ts'
import type { NodeResources } from '../operations/operations.ts'
import type { DatabaseContext } from './database-context.ts'
import { workOf } from './steps.ts'

const rehearsalSeconds = 120
const attempts = 5

export interface Changed {
  id: string
  before: InstanceAttributes
  wanted: InstanceAttributes
}

/** Instances that stand and are to have other settings. */
export function changedOf(nodes: readonly NodeResources[], context: DatabaseContext): Changed[] {
  return nodes.flatMap(({ instances }) =>
    (instances ?? []).flatMap(({ instance_id: id, instance }): Changed[] => {
      const stood = context.actual('database.instance', id)
      if (!stood || context.isLeft(id)) return []
      const before = InstanceAttributes.parse(stood.attributes)
      const wanted = InstanceAttributes.parse(instance.attributes)
      return canonical(before.settings) === canonical(wanted.settings) ? [] : [{ id, before, wanted }]
    }),
  )
}

/** Ahead of everything that a plan changes: servers that stand could start with the settings that they are to have. */
export function rehearsals(nodes: readonly NodeResources[], context: DatabaseContext): RemodelDraft[] {
  return changedOf(nodes, context).map(({ id, wanted }) => ({
    id: `rehearse instance/${id}`,
    step: 'rehearse',
    action: 'run',
    material: `rehearsal/${id}`,
    title: `rehearse the settings of ${id}`,
    stage: 'rehearse settings',
    reasons: [{ code: 'settings-changed' } satisfies DatabaseReason],
    input: { deployment: context.deployment, instance: wanted },
    deadlineSeconds: rehearsalSeconds,
    attempts,
  }))
}

/**
 * A replica keeps a setting of which it must not have less until its primary has less: so it is set up once more behind
 * its primary. Where nothing was kept, that is done already.
 */
export function lowerings(nodes: readonly NodeResources[], context: DatabaseContext): RemodelDraft[] {
  const lowered = changedOf(nodes, context).filter(({ before, wanted }) =>
    replicaFloors.some((name) => isLess(wanted.settings[name], before.settings[name])),
  )
  const of = new Set(lowered.map(({ wanted }) => wanted.node))
  return nodes
    .filter(({ node_name }) => of.has(node_name))
    .flatMap(({ instances }) => instances ?? [])
    .filter(({ instance_id: id }) => context.actual('database.instance', id) !== undefined && !context.isLeft(id))
    .filter(({ instance_id: id, node_name }) => context.roleOf(id, node_name).role === 'follow')
    .map(({ instance_id: id, instance }) => ({
      id: `set-up-instance instance/${id} (behind its primary)`,
      step: 'set-up-instance',
      action: 'update',
      material: `instance/${id}`,
      title: `lower settings of ${id} behind its primary`,
      stage: 'lower settings',
      reasons: [{ code: 'below-primary' } satisfies DatabaseReason],
      input: workOf({ type: 'update', resource: instance }, context, []).input,
      deadlineSeconds: 6 * 3600,
      attempts,
    }))
}

/**
 * A setting that is not in the document has the server's default, which is not known here: one that
 * comes or goes may be less.
 */
function isLess(now: string | undefined, before: string | undefined): boolean {
  return now !== before && !(Number(now) >= Number(before))
}
