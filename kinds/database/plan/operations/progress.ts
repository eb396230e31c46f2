import { type NamedPlan, nameOf } from './resource.ts'

/** `plan 3 of 9: update n1: primary`. `index` counts from 0. */
export function progressOf(plans: readonly NamedPlan[], index: number): string {
  return `plan ${index + 1} of ${plans.length}: ${plans[index]!.name}`
}

/** What plans will do, a line each thing, for a person to read before they run. */
export function describePlans(plans: readonly NamedPlan[]): string[] {
  if (plans.length === 0) return ['nothing to do']
  return plans.flatMap((plan, index) => [
    progressOf(plans, index),
    ...plan.phases.flatMap((phase, at) =>
      phase.map(({ type, resource, reason }) => {
        const why = reason === undefined ? '' : ` (${reason.replaceAll('_', ' ')})`
        return `  ${at + 1}. ${type} ${nameOf(resource.identifier)}${why}`
      }),
    ),
  ])
}
