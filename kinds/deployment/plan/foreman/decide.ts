import { canonical } from '../../../../shared/model/canonical.ts'
import type { Content, DeploymentReason } from '../../reasons.ts'
import type { ActualInstance } from './actual.ts'
import type { CloudIds } from './cloud-ids.ts'
import { isPartial, type PlanContext } from './context.ts'
import { stemcellOf } from './machine-reasons.ts'
import type { Decided, DiskTask, Rendered } from './stages.ts'

/**
 * Last stage: compares an instance as it is to be with the floorplan; where only what runs on a machine has to
 * change, it is updated.
 */
export function decide(rendered: Rendered, cids: CloudIds): Decided {
  const { old, how, group, index, asked } = rendered
  if (!old) return rendered
  if (rendered.isLeft) return decideLeft(rendered, old)
  const found = [
    ...contentReasons(rendered, old),
    ...(asked === 'restart' && how === 'none' ? [{ code: 'asked', what: asked } as const] : []),
  ]
  if (found.length === 0) return rendered
  const reasons = [...rendered.reasons, ...found]
  if (how !== 'none') return { ...rendered, reasons }
  if (old.health !== 'unresponsive') return { ...rendered, how: 'update', reasons }
  // Nothing can be put on a machine that does not answer.
  const cid = cids.vm(group.name, index)
  return { ...rendered, how: 'recreate', cid, reasons: [...reasons, { code: 'machine-silent' }] }
}

/** Of one that is left as it is only what a person wants of it can change. */
function decideLeft(rendered: Rendered, { attributes, health }: ActualInstance): Decided {
  const before = attributes.intents ?? []
  const { intents, asked } = rendered
  // One that was stopped, and of which a process runs all the same, is stopped again.
  const isDue = asked === 'stop' && !before.includes('ignored') && (!before.includes('stopped') || health === 'failing')
  if (isDue) {
    const state = { ...rendered.attributes, state: 'stopped' as const }
    return { ...rendered, how: 'stop', reasons: [{ code: 'asked', what: 'stop' }], attributes: state }
  }
  return canonical([...before]) === canonical([...intents]) ? rendered : asRecorded(rendered)
}

function asRecorded(rendered: Rendered): Decided {
  const { intents, old } = rendered
  const isMore = intents.length > (old?.attributes.intents?.length ?? 0)
  return { ...rendered, how: 'record', reasons: [{ code: 'asked', what: isMore ? 'ignore' : 'unignore' }] }
}

/** What is left alone as a person wants that; where the plan is about some instances, of these. */
export function leftNotes(decided: readonly Decided[], context: PlanContext): string[] {
  return decided
    .filter(({ how, intents, asked }) => how === 'none' && intents.length > 0 && (asked || !isPartial(context)))
    .map(({ name, intents }) => `${name} is ${intents.join(' and ')}: it is left as it is`)
}

/** What is left alone though it does not answer, as nothing about it changes. */
export function unresponsiveNotes(decided: readonly Decided[]): string[] {
  return decided
    .filter(({ old, how, isLeft }) => old?.health === 'unresponsive' && how === 'none' && !isLeft)
    .map(
      ({ name }) => `${name} does not answer; nothing about it changes, so it is left alone (recreate makes it anew)`,
    )
}

function contentReasons({ attributes, disk, how, group }: Rendered, old: ActualInstance): DeploymentReason[] {
  const had = old.attributes
  const stemcellStays = !old.vm || old.vm.attributes.stemcell === stemcellOf(group)
  return [
    ...differences('job', had.jobs, attributes.jobs),
    // Another stemcell means other packages throughout: saying so once is enough.
    ...(stemcellStays ? differences('package', had.packages, attributes.packages) : []),
    ...configurationReasons(had, attributes),
    ...diskReasons(disk, group.disk),
    ...(had.state === attributes.state
      ? []
      : [{ code: 'state-changed', before: had.state, after: attributes.state } as const]),
    ...(old.health === 'failing' && how === 'none' ? [{ code: 'processes-failing' } as const] : []),
  ]
}

type Contents = Pick<Rendered['attributes'], 'jobs' | 'configuration' | 'checks'>

/** Of jobs that stay: where a job itself was added or removed, its configuration is no news. */
function configurationReasons(had: Contents, attributes: Contents): DeploymentReason[] {
  const stays = (job: string) => had.jobs[job] !== undefined && attributes.jobs[job] !== undefined
  const checked = Object.keys({ ...had.checks, ...attributes.checks }).sort()
  const same = (job: string) => canonical(had.checks?.[job] ?? []) === canonical(attributes.checks?.[job] ?? [])
  return [
    ...differences('configuration', had.configuration, attributes.configuration, stays),
    ...checked
      .filter((job) => stays(job) && !same(job))
      .map((job) => ({ code: 'health-checks-changed', job }) as const),
  ]
}

function diskReasons({ how, have }: DiskTask, wanted: Rendered['group']['disk']): DeploymentReason[] {
  const before = have?.attributes
  switch (how) {
    case 'none':
      return []
    case 'create':
      return [{ code: have ? 'disk-gone' : 'disk-added' }]
    case 'delete':
      return [{ code: 'disk-removed' }]
    case 'resize':
      return before?.sizeMiB === wanted?.sizeMiB
        ? [{ code: 'disk-type-changed', before: before?.type ?? null, after: wanted?.type ?? null }]
        : [{ code: 'disk-size-changed', beforeMiB: before?.sizeMiB ?? null, afterMiB: wanted?.sizeMiB ?? null }]
  }
}

/** What was changed, added and removed, by name; `counts` says which names are shown. */
function differences(
  what: Content,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  counts: (name: string) => boolean = () => true,
): DeploymentReason[] {
  if (before === after) return []
  const reasons: DeploymentReason[] = []
  for (const name in after) {
    if (before[name] === after[name]) continue
    if (before[name] !== undefined) reasons.push({ code: 'content-changed', what, name })
    else if (counts(name)) reasons.push({ code: 'content-added', what, name })
  }
  for (const name in before) {
    if (after[name] === undefined && counts(name)) reasons.push({ code: 'content-removed', what, name })
  }
  return reasons
}
