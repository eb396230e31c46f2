import type { PlanDraft, RemodelDraft } from '../../../kinds/contract/draft.ts'
import { digestOf, digestOfList } from '../../../shared/model/canonical.ts'
import type { Blueprint, Floorplan, Json } from '../../../shared/model/material.ts'
import { type Plan, planFormat, type Remodel, When } from '../../../shared/model/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { checkPlan, isResting } from './check-plan.ts'

/** Ten minutes: long enough for a compile, short enough that a lost attempt is noticed the same hour. */
const defaultDeadlineSeconds = 600
const defaultAttempts = 3

/**
 * Turns a kind's draft into a plan: fills in usual values, checks that it can be carried out, and seals it with a
 * digest. The same draft, blueprint and floorplan give the same plan, byte for byte.
 *
 * `action` is the name of the one that asks for it. Throws `conflict` where the draft breaks a rule of `check-plan.ts`:
 * it could never finish, or would change one material twice at a time.
 */
export function sealPlan(draft: PlanDraft, blueprint: Blueprint, floorplan: Floorplan, action?: string): Plan {
  // Permits of a window are given in plan order: what others wait for longest must stand first.
  const remodels = draft.remodels.map(complete).sort((a, b) => b.weight - a.weight)
  check({ ...draft, remodels })
  const body = {
    format: planFormat as typeof planFormat,
    deployment: blueprint.deployment,
    kind: blueprint.kind,
    ...(action === undefined ? {} : { action }),
    floorplan: { version: floorplan.version, digest: digestOfList(floorplan.materials) },
    blueprint: digestOf({ ...blueprint, materials: digestOfList(blueprint.materials) }),
    remodels,
    permits: draft.permits,
    windows: draft.windows,
    reservations: draft.reservations ?? [],
    ...(draft.consequences && draft.consequences.length > 0 ? { consequences: draft.consequences } : {}),
    notes: draft.notes,
  }
  const digest = digestOf(body)
  return { ...body, id: `p${digest.slice(7, 19)}`, digest }
}

function complete(draft: RemodelDraft): Remodel {
  const resting = isResting(draft)
  return {
    queue: resting ? null : 'assemble',
    needs: [],
    when: When.enum.healthy,
    changes: [],
    destructive: false,
    deadlineSeconds: defaultDeadlineSeconds,
    attempts: resting ? 1 : defaultAttempts,
    weight: 0,
    ...draft,
    title: draft.title ?? `${draft.verb} ${draft.subject}`,
    // Nothing reads it but the step, by its own schema: there what is of another shape is refused.
    input: (draft.input ?? {}) as Json,
  }
}

function check(plan: Pick<Plan, 'remodels' | 'permits' | 'windows'>): void {
  const broken = checkPlan(plan).flatMap(({ severity, message }) => (severity === 'error' ? [message] : []))
  if (broken.length === 0) return
  throw new RemodelError('conflict', `this plan could not be carried out: ${broken.slice(0, 5).join('; ')}`, {
    details: { broken },
  })
}
