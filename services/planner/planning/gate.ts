import type { PlanDraft, RemodelDraft } from '../../../kinds/contract/draft.ts'

/** A time in which a plan is to begin, in milliseconds since the epoch; what it has begun then goes on to its end. */
export interface Begin {
  notBefore?: number | undefined
  notAfter?: number | undefined
}

const id = 'begin'

/**
 * Puts a gate in front of all that a plan does but compiling, which changes nothing that runs and is
 * better known to fail early.
 */
export function gated(draft: PlanDraft, { notBefore, notAfter }: Begin): PlanDraft {
  if ((notBefore === undefined && notAfter === undefined) || draft.remodels.length === 0) return draft
  const gate: RemodelDraft = {
    id,
    step: 'gate',
    action: 'gate',
    material: 'gate/begin',
    title: titleOf(notBefore, notAfter),
    stage: 'Waiting for its time',
    reasons: [{ code: 'asked-for' }],
    opens: notBefore ?? 0,
    ...(notAfter === undefined ? {} : { closes: notAfter }),
    // So that people read it first: plans are in the order of weight.
    weight: draft.remodels.reduce((most, { weight = 0 }) => Math.max(most, weight), 0),
  }
  const isHeld = ({ action }: RemodelDraft) => action !== 'compile'
  const held = new Set(draft.remodels.filter(isHeld).map((remodel) => remodel.id))
  const remodels = draft.remodels.map((remodel) => {
    const { needs = [] } = remodel
    return isHeld(remodel) && !needs.some((need) => held.has(need)) ? { ...remodel, needs: [id, ...needs] } : remodel
  })
  return { ...draft, remodels: [gate, ...remodels] }
}

function titleOf(notBefore: number | undefined, notAfter: number | undefined): string {
  const parts = [
    notBefore === undefined ? '' : `not before ${momentText(notBefore)}`,
    notAfter === undefined ? '' : `not after ${momentText(notAfter)}`,
  ]
  return `begin, ${parts.filter(Boolean).join(' and ')}`
}

/** The same everywhere: a plan is a value. */
function momentText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
