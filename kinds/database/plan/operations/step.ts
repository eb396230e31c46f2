import { type Identifier, type ResourceData, type State, stateOf } from './resource.ts'

/**
 * One intended state on the way, as the difference to the one before, with words for people.
 *
 * `verb` and `parts` make the name: `update n1, n2: primary`.
 */
export interface Step {
  readonly verb: string
  readonly parts: readonly { readonly node: string; readonly what: string }[]
  readonly resources: readonly ResourceData[]
  /** Done once, and again even where it was done before; then left alone until the last plan takes it away. */
  readonly once?: boolean
  /** What may be missing until a later step brings it. */
  readonly awaits?: readonly Identifier[]
}

export function stepOf(verb: string, node: string, what: string, resources: readonly ResourceData[]): Step {
  return { verb, parts: [{ node, what }], resources }
}

/** Joins the n-th steps of several nodes into one: that is what "at the same time" means. */
export function together(sequences: readonly (readonly Step[])[]): Step[] {
  const joined: Step[] = []
  for (const sequence of sequences) {
    for (const [index, step] of sequence.entries()) {
      const first = joined[index]
      joined[index] =
        first === undefined
          ? step
          : { ...first, parts: [...first.parts, ...step.parts], resources: [...first.resources, ...step.resources] }
    }
  }
  return joined
}

/** The last step of a sequence with more resources. */
export function withLast(steps: readonly Step[], resources: readonly ResourceData[]): Step[] {
  return steps.map((step, index) =>
    index === steps.length - 1 ? { ...step, resources: [...step.resources, ...resources] } : step,
  )
}

/** `update n1: replica 2 of 3`; nodes of which the same is done share one entry. */
export function titleOf({ verb, parts }: Step): string {
  const nodes = new Map<string, string[]>()
  for (const { node, what } of parts) nodes.set(what, [...(nodes.get(what) ?? []), node])
  const entries = [...nodes].map(([what, names]) => `${names.join(', ')}: ${what}`)
  return [verb, entries.join('; ')].filter(Boolean).join(' ')
}

export function statesOf(steps: readonly Step[]): State[] {
  return steps.map(({ resources }) => stateOf(resources))
}
