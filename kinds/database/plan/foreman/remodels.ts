import { type Material, materialName, materialType } from '../../../../shared/model/material.ts'
import type { RemodelDraft } from '../../../contract/draft.ts'
import type { DatabaseReason } from '../../reasons.ts'
import { materialId } from '../names.ts'
import type { Event, NamedPlan, Phase } from '../operations/operations.ts'
import { changesOf } from './changes.ts'
import type { DatabaseContext } from './database-context.ts'
import type { Handover } from './handover.ts'
import { handoverRemodels } from './handover-remodels.ts'
import type { Opening } from './openings.ts'
import { workOf } from './steps.ts'

/** A copy of a large database takes its time. */
const longSteps: ReadonlySet<string> = new Set(['set-up-instance', 'populate-node', 'await-mark', 'set-up-database'])
const longSeconds = 6 * 3600
/** A replication takes as long as it takes, but a worker may be lost more often than once meanwhile. */
const attempts = 5

/**
 * Remodels of `before` and handovers first, late handovers and remodels of `after` last, in between the plans in their
 * order: each phase a set of remodels that may run at the same time, after all of the phase before. A node is opened
 * right behind the phase that makes it ready. A resource that comes twice gets the number of its plan into its id.
 */
export function remodelsOf(
  plans: readonly NamedPlan[],
  { handovers, late }: { handovers: readonly Handover[]; late: readonly Handover[] },
  context: DatabaseContext,
  { renamings, before, after, drains, openings, lost }: Beside,
): RemodelDraft[] {
  const renamed = renamings.slice(-1).map(({ id }) => id)
  const early = [...before, ...handovers.flatMap((handover) => handoverRemodels(handover, context))]
  const remodels = [...renamings, ...early.map((draft) => ({ ...draft, needs: [...(draft.needs ?? []), ...renamed] }))]
  let needs = early.length > 0 ? early.map(({ id }) => id) : renamed
  const used = new Set(remodels.map(({ id }) => id))
  const made = new Set(plans.flatMap(({ phases }) => phases.flat().filter(isMade).map(materialOf)))
  const open = new Set(drains)
  const gather = (id: string, stage: string) => {
    if (needs.length < 2) return
    const barrier = { step: 'barrier', action: 'barrier', material: 'database/phase', title: id } as const
    remodels.push({ id, ...barrier, stage, reasons: [], needs })
    needs = [id]
  }
  const opening = (behind: Phase | undefined) => {
    const due = openings.filter((one) => one.behind === behind)
    if (due.length === 0) return
    const needed = needs
    remodels.push(...due.map(({ draft }) => ({ ...draft, needs: needed })))
    needs = due.map(({ draft }) => draft.id)
  }
  opening(undefined)
  for (const [index, { name, phases }] of plans.entries()) {
    for (const [at, phase] of phases.entries()) {
      const due = [...open].filter(({ node, first }) => first || phase.some((event) => takesAway(event, node)))
      if (due.length > 0) {
        const needed = needs
        remodels.push(...due.map(({ draft }) => ({ ...draft, needs: needed })))
        needs = due.map(({ draft }) => draft.id)
        for (const drain of due) open.delete(drain)
      }
      const events = phase.filter((event) => !isLeft(event, context))
      if (events.length > 0) gather(`plan ${index + 1} of ${plans.length}, phase ${at + 1}`, name)
      const drafts = events.map((event) => {
        const draft = draftOf(event, phase, context, { made, lost })
        const id = used.has(draft.id) ? `${draft.id} (plan ${index + 1})` : draft.id
        used.add(id)
        return { ...draft, id, stage: name, needs }
      })
      remodels.push(...drafts)
      if (drafts.length > 0) needs = drafts.map(({ id }) => id)
      if (openings.some(({ behind }) => behind === phase)) {
        gather(`plan ${index + 1} of ${plans.length}, phase ${at + 1} is over`, name)
        opening(phase)
      }
    }
  }
  const last = late.flatMap((handover) => handoverRemodels(handover, context)).map((draft) => ({ ...draft, needs }))
  const behind = last.length > 0 ? last.map(({ id }) => id) : needs
  return [...remodels, ...last, ...after.map((draft) => ({ ...draft, needs: behind }))]
}

/** What is done beside what the operations plan. */
interface Beside {
  /** Nodes that go with data that no other one has. */
  lost: ReadonlySet<string>
  /** One after the other, ahead of everything. */
  renamings: readonly RemodelDraft[]
  before: readonly RemodelDraft[]
  after: readonly RemodelDraft[]
  drains: readonly Drain[]
  openings: readonly Opening[]
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

const isLeft = ({ type, resource: { identifier } }: Event, context: DatabaseContext) =>
  type !== 'delete' && identifier.type === 'database.instance' && context.isLeft(identifier.id)

const isMade = ({ type }: Event) => type !== 'delete'
const materialOf = ({ resource }: Event) => materialId(resource.identifier)

/** `made`: what some event of the plans makes or changes. */
function draftOf(
  event: Event,
  phase: Phase,
  context: DatabaseContext,
  { made, lost }: { made: ReadonlySet<string>; lost: ReadonlySet<string> },
): RemodelDraft {
  const { type, resource } = event
  const material = materialOf(event)
  const noun = materialType(material)
  const { step, input } = workOf(event, context, phase)
  const stood = context.actual(resource.identifier.type, resource.identifier.id)
  const node = noun === 'instance' || noun === 'host' ? context.actualNodeOf(resource) : undefined
  const before = (stood?.attributes ?? {}) as Material['attributes']
  const changes = type === 'delete' ? [] : changesOf(before, resource.attributes as Material['attributes'])
  return {
    id: `${step} ${material}`,
    step,
    action: type === 'refresh' ? 'run' : type,
    material,
    ...headingOf(event, material),
    stage: '',
    reasons: [reasonOf(event, made.has(material), stood?.error ?? '')],
    changes,
    ...(isDetail(event, noun) ? { detail: true } : {}),
    destructive: type === 'delete' && (noun === 'instance' || noun === 'host') && lost.has(node ?? ''),
    input,
    deadlineSeconds: longSteps.has(step) ? longSeconds : 300,
    attempts,
  }
}

/** Of what lies between nodes people know the link; the rest is how it is made. */
const details: ReadonlySet<string> = new Set([
  ...['monitor', 'dump_roles', 'roles_source', 'replication_slot', 'replication_slot_create', 'sync_event'],
  ...['wait_for_sync_event', 'peer_catchup', 'lag_tracker_commit_ts', 'replication_slot_advance_from_cts'],
  'replication_origin_advance',
])

function isDetail({ reason }: Event, noun: string): boolean {
  return details.has(noun) || (reason === 'dependency_updated' && noun !== 'instance' && noun !== 'host')
}

function headingOf({ type, resource: { attributes } }: Event, material: string): { verb: string; subject: string } {
  const noun = materialType(material)
  if (noun === 'instance') return { verb: `${type} instance`, subject: materialName(material) }
  if (noun !== 'subscription') return { verb: type, subject: `${noun.replaceAll('_', ' ')} ${materialName(material)}` }
  const nodes = { from: attributes.provider_node, to: attributes.subscriber_node }
  return attributes.sync_data === true && type !== 'delete'
    ? { verb: 'copy', subject: `${nodes.from} to ${nodes.to}` }
    : { verb: type, subject: `the link from ${nodes.from} to ${nodes.to}` }
}

/** `error`: the fault of the existing resource. */
function reasonOf({ type, reason }: Event, isMadeAnew: boolean, error: string): DatabaseReason {
  if (type === 'delete') return { code: isMadeAnew ? 'made-anew' : 'unwanted' }
  switch (reason) {
    case 'has_diff':
      return { code: 'document-changed' }
    case 'needs_recreate':
      return { code: 'gone', error }
    case 'has_error':
      return { code: 'faulty', error }
    case 'dependency_updated':
      return { code: 'dependency-changed' }
    case 'force_update':
      return { code: 'update-forced' }
    default:
      return { code: 'new' }
  }
}
