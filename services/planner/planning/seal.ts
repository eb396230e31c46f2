import type { PlanDraft, RemodelDraft } from '../../../kinds/contract/draft.ts'
import { inOrder } from '../../../kinds/contract/order.ts'
import { digestOf, digestOfList } from '../../../shared/model/canonical.ts'
import type { Blueprint, Floorplan } from '../../../shared/model/material.ts'
import { type Plan, planFormat, type Remodel, When } from '../../../shared/model/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'

/** Ten minutes: long enough for a compile, short enough that a lost attempt is noticed the same hour. */
const defaultDeadlineSeconds = 600
const defaultAttempts = 3

/**
 * Turns a kind's draft into a plan: fills in usual values, checks that it can be carried out, and seals it with a digest.
 * The same draft, blueprint and floorplan give the same plan, byte for byte.
 *
 * Throws `conflict` where the draft could never finish: an id twice, a need that is not in the plan, a cycle of needs, a
 * window or place that is not declared; and where two remodels of one material could run side by side, since each would
 * take the other's fence. That places in narrow windows do not wait for each other is the kind's to see to.
 */
export function sealPlan(draft: PlanDraft, blueprint: Blueprint, floorplan: Floorplan): Plan {
  // Free seats of a window are given in plan order: what others wait for longest must stand first.
  const remodels = draft.remodels.map(complete).sort((a, b) => b.weight - a.weight)
  check(remodels, draft)
  const body = {
    format: planFormat as typeof planFormat,
    deployment: blueprint.deployment,
    kind: blueprint.kind,
    floorplan: { version: floorplan.version, digest: digestOfList(floorplan.materials) },
    blueprint: digestOf({ ...blueprint, materials: digestOfList(blueprint.materials) }),
    remodels,
    places: draft.places,
    windows: draft.windows,
    reservations: draft.reservations ?? [],
    ...(draft.consequences && draft.consequences.length > 0 ? { consequences: draft.consequences } : {}),
    notes: draft.notes,
  }
  const digest = digestOf(body)
  return { ...body, id: `p${digest.slice(7, 19)}`, digest }
}

/** What has no worker. */
function isResting({ action }: Pick<RemodelDraft, 'action'>): boolean {
  return action === 'barrier' || action === 'approve' || action === 'gate'
}

function complete(draft: RemodelDraft): Remodel {
  const resting = isResting(draft)
  return {
    queue: resting ? null : 'assemble',
    needs: [],
    when: When.enum.healthy,
    changes: [],
    destructive: false,
    input: {},
    deadlineSeconds: defaultDeadlineSeconds,
    attempts: resting ? 1 : defaultAttempts,
    weight: 0,
    ...draft,
  }
}

function check(remodels: readonly Remodel[], draft: PlanDraft): void {
  const byId = new Map(remodels.map((remodel) => [remodel.id, remodel]))
  const windows = new Set(draft.windows.map((window) => window.name))
  const places = new Map(draft.places.map((place) => [place.name, place]))
  const broken: string[] = []
  if (byId.size !== remodels.length) broken.push('a remodel id is used twice')
  for (const place of draft.places) {
    for (const window of place.windows) {
      if (!windows.has(window)) broken.push(`place ${place.name} is in window ${window}, which is not declared`)
    }
  }
  for (const remodel of remodels) {
    for (const need of remodel.needs) {
      if (!byId.has(need)) broken.push(`${remodel.id} needs ${need}, which is not in the plan`)
    }
    if (remodel.place !== undefined && !places.has(remodel.place))
      broken.push(`${remodel.id} names place ${remodel.place}, which is not declared`)
    if (remodel.action === 'gate' && remodel.opens === undefined)
      broken.push(`${remodel.id} is a gate without a moment`)
    if ((remodel.queue === null) !== isResting(remodel)) {
      broken.push(`${remodel.id} must have a queue unless it is a barrier, an approval or a gate`)
    }
  }
  if (broken.length > 0)
    throw new RemodelError('conflict', `this plan could not be carried out: ${broken.slice(0, 5).join('; ')}`, {
      details: { broken },
    })
  const order = inOrder(
    remodels.map((remodel) => remodel.id),
    (id) => byId.get(id)?.needs ?? [],
  )
  oneAtATime(
    order.map((id) => byId.get(id)!),
    byId,
  )
}

/** Each remodel of a material must come after the one before it, by whatever way. */
function oneAtATime(ordered: readonly Remodel[], byId: ReadonlyMap<string, Remodel>): void {
  const position = new Map(ordered.map(({ id }, i) => [id, i]))
  const last = new Map<string, Remodel>()
  for (const remodel of ordered) {
    if (remodel.queue === null) continue
    const before = last.get(remodel.material)
    last.set(remodel.material, remodel)
    if (before && !comesAfter(remodel, before.id, position, byId)) {
      const message = `${before.id} and ${remodel.id} both change ${remodel.material} and neither waits for the other`
      throw new RemodelError('conflict', `this plan could not be carried out: ${message}`, {
        details: { broken: [message] },
      })
    }
  }
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
      // What stands before it in the order cannot lead to it.
      if (seen.has(need) || position.get(need)! < position.get(before)!) continue
      seen.add(need)
      open.push(byId.get(need)!)
    }
  }
  return false
}
