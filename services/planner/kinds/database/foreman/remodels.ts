import type { Json, Material } from '../../../../../shared/model/material.ts'
import { changesBetween } from '../../../foreman/diff.ts'
import type { RemodelDraft } from '../../../foreman/draft.ts'
import { materialId } from '../names.ts'
import type { Event, NamedPlan } from '../operations/operations.ts'
import type { Handover } from './handover.ts'
import type { Situation } from './situation.ts'
import { workOf } from './steps.ts'

/** A copy of a large database takes its time. */
const longSteps: ReadonlySet<string> = new Set(['set-up-instance', 'populate-node', 'await-mark', 'set-up-database'])
const longSeconds = 6 * 3600
/** A replication takes as long as it takes, but a worker may be lost more often than once meanwhile. */
const attempts = 5

/**
 * What comes `before` and handovers first, what comes `after` last, in between the plans in their order: each phase a set of remodels that may run at the same time, after all of
 * the phase before. A resource that comes twice is told apart by the number of its plan.
 */
export function remodelsOf(
  plans: readonly NamedPlan[],
  handovers: readonly Handover[],
  situation: Situation,
  { before, after }: { before: readonly RemodelDraft[]; after: readonly RemodelDraft[] },
): RemodelDraft[] {
  const remodels = [...before, ...handovers.map((handover) => handoverRemodel(handover, situation))]
  let needs = remodels.map(({ id }) => id)
  const used = new Set(needs)
  const made = new Set(plans.flatMap(({ phases }) => phases.flat().filter(isMade).map(materialOf)))
  for (const [index, { name, phases }] of plans.entries()) {
    for (const [at, phase] of phases.entries()) {
      if (needs.length > 1) {
        const id = `plan ${index + 1} of ${plans.length}, phase ${at + 1}`
        const barrier = { step: 'barrier', action: 'barrier', material: 'database/phase', title: id } as const
        remodels.push({ id, ...barrier, stage: name, reasons: [], needs })
        needs = [id]
      }
      const drafts = phase.map((event) => {
        const draft = draftOf(event, made, situation)
        const id = used.has(draft.id) ? `${draft.id} (plan ${index + 1})` : draft.id
        used.add(id)
        return { ...draft, id, stage: name, needs }
      })
      remodels.push(...drafts)
      needs = drafts.map(({ id }) => id)
    }
  }
  return [...remodels, ...after.map((draft) => ({ ...draft, needs }))]
}

const isMade = ({ type }: Event) => type !== 'delete'
const materialOf = ({ resource }: Event) => materialId(resource.identifier)

/** `made`: what some event of the plans makes or changes. */
function draftOf(event: Event, made: ReadonlySet<string>, situation: Situation): RemodelDraft {
  const { type, resource } = event
  const material = materialOf(event)
  const [noun = '', ...rest] = material.split('/')
  const title = `${type} ${noun.replaceAll('_', ' ')} ${rest.join('/')}`
  const { step, input } = workOf(event, situation)
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

function handoverRemodel({ node, from, to, how }: Handover, situation: Situation): RemodelDraft {
  const members = situation.membersOf(node)
  const resource = situation.standing('database.node', node)
  const lost = members.filter(({ instance }) => instance === from)
  const more = how === 'fail-over' ? { lost } : { synchronous: situation.isSynchronous(node) }
  const input = { event: 'update', resource, deployment: situation.deployment, node, members, to, ...more }
  const words = how.replace('-', ' ')
  return {
    id: `${how} node/${node}`,
    step: how,
    action: 'update',
    material: `node/${node}`,
    title: `${words} ${node} to ${to}`,
    stage: `${words} ${node}`,
    reasons: [
      how === 'fail-over' ? `the machine of its primary ${from} is gone` : 'the document names another primary',
    ],
    changes: [{ path: 'primary_instance_id', before: from, after: to }],
    input: input as unknown as Json,
    deadlineSeconds: 300,
    attempts,
  }
}
