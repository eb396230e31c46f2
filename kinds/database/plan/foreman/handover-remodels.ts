import type { RemodelDraft } from '../../../contract/draft.ts'
import type { Members } from '../../inputs.ts'
import { linkPattern } from '../../postgres/names.ts'
import type { DatabaseReason } from '../../reasons.ts'
import type { DatabaseContext } from './database-context.ts'
import type { Handover } from './handover.ts'

/** What a change of primary has to know of its node. */
export type Surroundings = Pick<DatabaseContext, 'deployment' | 'membersOf' | 'actual' | 'isSynchronous'>

/** A replication takes as long as it takes, but a worker may be lost more often than once meanwhile. */
const attempts = 5
/** A day: a node that takes no writes is worth a look sooner. */
const approvalSeconds = 24 * 3600
/** Servers that were silent may have much of their own log to read first. */
const electionSeconds = 900

/** The change itself; ahead of one that may lose something, a person's word. */
export function handoverRemodels(
  handover: Handover,
  context: Surroundings,
  wanted: DatabaseReason = { code: 'other-primary-wanted' },
): RemodelDraft[] {
  const { node, from, to, how } = handover
  const members = context.membersOf(node)
  const resource = context.actual('database.node', node)
  const material = `node/${node}`
  const words = how === 'promote-node' ? 'promote' : how.replace('-', ' ')
  const stage = `${words} ${node}`
  const input = {
    event: 'update',
    resource,
    deployment: context.deployment,
    node,
    members,
    to,
    synchronous: context.isSynchronous(node),
    ...(how === 'switch-over' ? {} : { ...electionOf(handover), ...readersOf(handover, context) }),
    ...(how === 'fail-over'
      ? { lost: members.filter(({ instance }) => instance === from), full: handover.full ?? false }
      : {}),
  }
  const change: RemodelDraft = {
    id: `${how} ${material}`,
    step: how,
    action: 'update',
    material,
    title: titleOf(handover, words),
    stage,
    reasons: reasonsOf(handover, wanted),
    changes: [{ path: 'primary_instance_id', before: from, after: to }],
    input,
    deadlineSeconds: how === 'switch-over' ? 300 : electionSeconds,
    attempts,
  }
  if (how !== 'fail-over' || handover.loss === undefined) return [change]
  const approval: RemodelDraft = {
    id: `approve ${change.id}`,
    step: 'approve',
    action: 'approve',
    material,
    title: `approve that ${node} may lose what it acknowledged`,
    stage,
    reasons: [{ code: 'loss-possible', what: handover.loss } satisfies DatabaseReason],
    deadlineSeconds: approvalSeconds,
  }
  return [approval, { ...change, needs: [approval.id] }]
}

function electionOf({ candidates, wake, commits, slots, acceptLoss }: Exclude<Handover, { how: 'switch-over' }>) {
  return { candidates, wake, commits, slots, acceptLoss }
}

/** Nodes that read from this one. */
function readersOf(
  { to, slots }: Exclude<Handover, { how: 'switch-over' }>,
  context: Surroundings,
): { database: string; readers: Members } {
  const nodes = slots.flatMap((slot) => linkPattern.exec(slot)?.[2] ?? [])
  return {
    database: String(context.actual('database.instance', to)?.attributes.database_name ?? ''),
    readers: Object.fromEntries(nodes.map((node) => [node, context.membersOf(node)])),
  }
}

function titleOf(handover: Handover, words: string): string {
  const title = `${words} ${handover.node} to ${handover.to}`
  if (handover.how === 'switch-over') return title
  const others = handover.candidates.filter((candidate) => candidate !== handover.to)
  const open = handover.how === 'promote-node' || handover.wake.length > 0
  return open && others.length > 0 ? `${title}, or to ${others.join(' or ')} where that has more` : title
}

function reasonsOf(handover: Handover, wanted: DatabaseReason): DatabaseReason[] {
  const { from, how } = handover
  if (how === 'switch-over') return [wanted]
  const { out = '', wake } = handover
  const gone: DatabaseReason = out === '' ? { code: 'primary-gone', primary: from } : { code: 'primary-out', what: out }
  const why: DatabaseReason = how === 'fail-over' ? gone : { code: 'no-primary' }
  return [why, ...wake.map((server): DatabaseReason => ({ code: 'server-silent', server }))]
}
