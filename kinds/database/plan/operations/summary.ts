import { type Event, nameOf, type PatchStep, type Phase } from './resource.ts'

/** One event as it is shown and compared: what happens to which resource, and why. */
export interface EventSummary {
  readonly type: Event['type']
  /** `type::id`. */
  readonly resource_id: string
  readonly reason?: string
  readonly diff: readonly PatchStep[] | null
}

export function summaryOf(phases: readonly Phase[]): EventSummary[][] {
  return phases.map((phase) => phase.map(eventSummary))
}

function eventSummary({ type, resource, reason, diff }: Event): EventSummary {
  return {
    type,
    resource_id: nameOf(resource.identifier),
    ...(reason === undefined ? {} : { reason }),
    diff: diff ?? null,
  }
}
