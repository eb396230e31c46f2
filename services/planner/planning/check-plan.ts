import { inOrder } from '../../../kinds/contract/order.ts'
import type { Plan, Remodel } from '../../../shared/model/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { waitsForPermits } from './permits.ts'

/** What a plan has to keep, so that it can be carried out to its end. */
export type Rule =
  | 'ids-are-unique'
  | 'needs-are-there'
  | 'no-circle'
  | 'permits-are-declared'
  | 'windows-are-declared'
  | 'gates-have-a-moment'
  | 'work-has-a-queue'
  | 'one-change-at-a-time'
  | 'no-wait-for-a-permit'
  | 'nothing-idle'

export interface Finding {
  rule: Rule
  /** `error`: it could not be carried out. `odd`: it can, and the foreman that drew it meant something else. */
  severity: 'error' | 'odd'
  message: string
}

/** What is wrong with a plan, whichever kind drew it. Pure; takes time in proportion to its needs. */
export function checkPlan(plan: Pick<Plan, 'remodels' | 'permits' | 'windows'>): Finding[] {
  const declared = [...undeclared(plan)]
  // Needs that are not there cannot be followed.
  if (declared.length > 0) return declared.map(([rule, message]) => ({ rule, severity: 'error', message }))
  const byId = new Map(plan.remodels.map((remodel) => [remodel.id, remodel]))
  const circle = circleIn(plan.remodels, byId)
  if (circle) return [circle]
  const ordered = inOrder([...byId.keys()], (id) => byId.get(id)!.needs).map((id) => byId.get(id)!)
  return [
    ...oneAtATime(ordered, byId).map((message) => error('one-change-at-a-time', message)),
    ...waitsForPermits(ordered, plan).map((message) => error('no-wait-for-a-permit', message)),
    ...idle(plan).map((message): Finding => ({ rule: 'nothing-idle', severity: 'odd', message })),
  ]
}

const error = (rule: Rule, message: string): Finding => ({ rule, severity: 'error', message })

/** A remodel without a worker. */
export function isResting({ action }: Pick<Remodel, 'action'>): boolean {
  return action === 'barrier' || action === 'approve' || action === 'gate'
}

function* undeclared({
  remodels,
  permits,
  windows,
}: Pick<Plan, 'remodels' | 'permits' | 'windows'>): Iterable<[Rule, string]> {
  const ids = new Set(remodels.map(({ id }) => id))
  if (ids.size !== remodels.length) yield ['ids-are-unique', 'a remodel id is used twice']
  const windowNames = new Set(windows.map(({ name }) => name))
  const permitNames = new Set(permits.map(({ name }) => name))
  for (const permit of permits)
    for (const window of permit.windows)
      if (!windowNames.has(window))
        yield ['windows-are-declared', `permit ${permit.name} is of window ${window}, which is not declared`]
  for (const { id, needs, permit, action, opens, queue } of remodels) {
    for (const need of needs)
      if (!ids.has(need)) yield ['needs-are-there', `${id} needs ${need}, which is not in the plan`]
    if (permit !== undefined && !permitNames.has(permit))
      yield ['permits-are-declared', `${id} names permit ${permit}, which is not declared`]
    if (action === 'gate' && opens === undefined) yield ['gates-have-a-moment', `${id} is a gate without a moment`]
    if ((queue === null) !== isResting({ action }))
      yield ['work-has-a-queue', `${id} must have a queue unless it is a barrier, an approval or a gate`]
  }
}

function circleIn(remodels: readonly Remodel[], byId: ReadonlyMap<string, Remodel>): Finding | undefined {
  try {
    inOrder(
      remodels.map(({ id }) => id),
      (id) => byId.get(id)!.needs,
    )
    return undefined
  } catch (thrown) {
    if (thrown instanceof RemodelError) return error('no-circle', thrown.message)
    throw thrown
  }
}

/** Each remodel of a material must come after the one before it, by whatever way: each would take the other's fence. */
function oneAtATime(ordered: readonly Remodel[], byId: ReadonlyMap<string, Remodel>): string[] {
  const position = new Map(ordered.map(({ id }, at) => [id, at]))
  const last = new Map<string, Remodel>()
  return ordered.flatMap((remodel) => {
    if (remodel.queue === null) return []
    const before = last.get(remodel.material)
    last.set(remodel.material, remodel)
    if (!before || comesAfter(remodel, before.id, position, byId)) return []
    return [`${before.id} and ${remodel.id} both change ${remodel.material} and neither waits for the other`]
  })
}

function comesAfter(
  remodel: Remodel,
  before: string,
  position: ReadonlyMap<string, number>,
  byId: ReadonlyMap<string, Remodel>,
): boolean {
  const seen = new Set<string>()
  const open = [remodel]
  for (let next = open.pop(); next; next = open.pop()) {
    if (next.needs.includes(before)) return true
    for (const need of next.needs) {
      // A remodel before it in the order cannot lead to it.
      if (seen.has(need) || position.get(need)! < position.get(before)!) continue
      seen.add(need)
      open.push(byId.get(need)!)
    }
  }
  return false
}

function idle({ remodels, permits, windows }: Pick<Plan, 'remodels' | 'permits' | 'windows'>): string[] {
  const used = new Set(remodels.map(({ permit }) => permit))
  const filled = new Set(permits.flatMap((permit) => permit.windows))
  return [
    ...permits.filter(({ name }) => !used.has(name)).map(({ name }) => `no remodel names permit ${name}`),
    ...windows.filter(({ name }) => !filled.has(name)).map(({ name }) => `no permit is of window ${name}`),
  ]
}
