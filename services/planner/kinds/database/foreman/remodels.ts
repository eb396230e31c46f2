import type { Json, Material } from '../../../../../shared/model/material.ts'
import { changesBetween } from '../../../foreman/diff.ts'
import type { RemodelDraft } from '../../../foreman/draft.ts'
import { materialId } from '../names.ts'
import type { Event, NamedPlan, Phase } from '../operations/operations.ts'
import type { Handover } from './handover.ts'
import type { Situation } from './situation.ts'
import { workOf } from './steps.ts'

/** A copy of a large database takes its time. */
const longSteps: ReadonlySet<string> = new Set(['set-up-instance', 'populate-node', 'await-mark', 'set-up-database'])
const longSeconds = 6 * 3600
/** A replication takes as long as it takes, but a worker may be lost more often than once meanwhile. */
const attempts = 5

/**
 * What comes `before` and handovers first, late handovers and what comes `after` last, in between the plans in their order: each
 * phase a set of remodels that may run at the same time, after all of the phase before. A resource that comes twice is told apart by the number of its plan.
 */
export function remodelsOf(
  plans: readonly NamedPlan[],
  { handovers, late }: { handovers: readonly Handover[]; late: readonly Handover[] },
  situation: Situation,
  {
    before,
    after,
    drains = [],
  }: { before: readonly RemodelDraft[]; after: readonly RemodelDraft[]; drains?: readonly Drain[] },
): RemodelDraft[] {
  const remodels = [...before, ...handovers.flatMap((handover) => handoverRemodels(handover, situation))]
  let needs = remodels.map(({ id }) => id)
  const used = new Set(needs)
  const made = new Set(plans.flatMap(({ phases }) => phases.flat().filter(isMade).map(materialOf)))
  const open = new Set(drains)
  for (const [index, { name, phases }] of plans.entries()) {
    for (const [at, phase] of phases.entries()) {
      const due = [...open].filter(({ node, first }) => first || phase.some((event) => takesAway(event, node)))
      if (due.length > 0) {
        const needed = needs
        remodels.push(...due.map(({ draft }) => ({ ...draft, needs: needed })))
        needs = due.map(({ draft }) => draft.id)
        for (const drain of due) open.delete(drain)
      }
      if (needs.length > 1) {
        const id = `plan ${index + 1} of ${plans.length}, phase ${at + 1}`
        const barrier = { step: 'barrier', action: 'barrier', material: 'database/phase', title: id } as const
        remodels.push({ id, ...barrier, stage: name, reasons: [], needs })
        needs = [id]
      }
      const drafts = phase.map((event) => {
        const draft = draftOf(event, phase, made, situation)
        const id = used.has(draft.id) ? `${draft.id} (plan ${index + 1})` : draft.id
        used.add(id)
        return { ...draft, id, stage: name, needs }
      })
      remodels.push(...drafts)
      needs = drafts.map(({ id }) => id)
    }
  }
  const last = late.flatMap((handover) => handoverRemodels(handover, situation)).map((draft) => ({ ...draft, needs }))
  const behind = last.length > 0 ? last.map(({ id }) => id) : needs
  return [...remodels, ...last, ...after.map((draft) => ({ ...draft, needs: behind }))]
}

/** What is done before a node goes: ahead of everything, or of the first thing that is taken from it. */
interface Drain {
  node: string
  first: boolean
  draft: RemodelDraft
}

function takesAway({ type, resource: { attributes, identifier } }: Event, node: string): boolean {
  if (type !== 'delete') return false
  const { provider_node, subscriber_node, node_name, node: own } = attributes
  return (
    [provider_node, subscriber_node, node_name, own].includes(node) ||
    (identifier.type === 'database.node' && identifier.id === node)
  )
}

const isMade = ({ type }: Event) => type !== 'delete'
const materialOf = ({ resource }: Event) => materialId(resource.identifier)

/** `made`: what some event of the plans makes or changes. */
function draftOf(event: Event, phase: Phase, made: ReadonlySet<string>, situation: Situation): RemodelDraft {
  const { type, resource } = event
  const material = materialOf(event)
  const [noun = '', ...rest] = material.split('/')
  const title = `${type} ${noun.replaceAll('_', ' ')} ${rest.join('/')}`
  const { step, input } = workOf(event, situation, phase)
  const stood = situation.standing(resource.identifier.type, resource.identifier.id)
  const after = type === 'delete' ? {} : resource.attributes
  return {
    id: `${step} ${material}`,
    step,
    action: type === 'refresh' ? 'run' : type,
    material,
    title,
    stage: '',
    reasons: [reasonOf(event, made.has(material))],
    changes: changesBetween((stood?.attributes ?? {}) as Material['attributes'], after as Material['attributes']),
    destructive: type === 'delete' && (noun === 'instance' || noun === 'host'),
    input,
    deadlineSeconds: longSteps.has(step) ? longSeconds : 300,
    attempts,
  }
}

function reasonOf({ type, reason }: Event, isMadeAnew: boolean): string {
  if (type === 'delete') return isMadeAnew ? 'is made anew' : 'is not wanted'
  return (reason ?? 'does_not_exist').replaceAll('_', ' ')
}

/** A day: a node that takes no writes is worth a look sooner. */
const approvalSeconds = 24 * 3600
/** Servers that were silent may have much of their own log to read first. */
const electionSeconds = 900

/** The change itself; ahead of one that may lose something, a person's word. */
function handoverRemodels(handover: Handover, situation: Situation): RemodelDraft[] {
  const { node, from, to, how } = handover
  const members = situation.membersOf(node)
  const resource = situation.standing('database.node', node)
  const material = `node/${node}`
  const words = how === 'promote-node' ? 'promote' : how.replace('-', ' ')
  const stage = `${words} ${node}`
  const input = {
    event: 'update',
    resource,
    deployment: situation.deployment,
    node,
    members,
    to,
    synchronous: situation.isSynchronous(node),
    ...(how === 'switch-over' ? {} : electionOf(handover)),
    ...(how === 'fail-over' ? { lost: members.filter(({ instance }) => instance === from) } : {}),
  }
  const change: RemodelDraft = {
    id: `${how} ${material}`,
    step: how,
    action: 'update',
    material,
    title: titleOf(handover, words),
    stage,
    reasons: reasonsOf(handover),
    changes: [{ path: 'primary_instance_id', before: from, after: to }],
    input: input as unknown as Json,
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
    reasons: [handover.loss],
    deadlineSeconds: approvalSeconds,
  }
  return [approval, { ...change, needs: [approval.id] }]
}

function electionOf({ candidates, wake, commits, slots, acceptLoss }: Exclude<Handover, { how: 'switch-over' }>) {
  return { candidates, wake, commits, slots, acceptLoss }
}

function titleOf(handover: Handover, words: string): string {
  const title = `${words} ${handover.node} to ${handover.to}`
  if (handover.how === 'switch-over') return title
  const others = handover.candidates.filter((candidate) => candidate !== handover.to)
  const open = handover.how === 'promote-node' || handover.wake.length > 0
  return open && others.length > 0 ? `${title}, or to ${others.join(' or ')} where that has more` : title
}

function reasonsOf(handover: Handover): string[] {
  const { from, how } = handover
  if (how === 'switch-over') return ['the document names another primary']
  const gone = ('out' in handover && handover.out) || `the machine of its primary ${from} is gone`
  const why = how === 'fail-over' ? gone : 'no server of it takes writes'
  return [why, ...handover.wake.map((server) => `${server} is silent: it is started first`)]
}
