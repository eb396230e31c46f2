import type { z } from 'zod'

/**
 * What was seen of the world that is no material: how long something took, how far an archive reaches. No part of the
 * floorplan: it is recorded nowhere, and a plan may be applied whatever has been seen since.
 */
export interface Observation {
  /**
   * What it was seen of: the id of a material, or a name of the same form for something that is
   * none: `archive/shop:n1`.
   */
  readonly subject: string
  /** Which of the subject's properties: the name of an `Aspect`. */
  readonly aspect: string
  /** JSON in the shape of the aspect. */
  readonly value: unknown
  /** When it was seen, in milliseconds since the epoch, by the clock of the observer. */
  readonly at: number
  /** The process that saw it, as events name it. */
  readonly observer: string
}

/** A property that is observed: the shape of its values, and how long one of them may be relied on. */
export interface Aspect<Value> {
  readonly name: string
  readonly value: z.ZodType<Value>
  /** In milliseconds; infinity for what does not change once it has been seen. */
  readonly freshMs: number
}

/** Who looks, and when. */
export type Look = Pick<Observation, 'at' | 'observer'>

export function observation<Value>(aspect: Aspect<Value>, subject: string, value: Value, look: Look): Observation {
  return { subject, aspect: aspect.name, value, at: look.at, observer: look.observer }
}

/**
 * Subject -> what was seen of it in this aspect, in the order in which they come; of several observations the latest.
 */
export function observed<Value>(observations: readonly Observation[], aspect: Aspect<Value>): Map<string, Value> {
  const latest = new Map<string, Observation>()
  for (const one of observations) {
    if (one.aspect !== aspect.name) continue
    const before = latest.get(one.subject)
    if (before === undefined || one.at >= before.at) latest.set(one.subject, one)
  }
  return new Map([...latest].map(([subject, { value }]) => [subject, aspect.value.parse(value)]))
}

/**
 * Whether an observation may still be relied on. One from the future was made by a clock that has been set
 * back since: it may not.
 */
export function isFresh({ at }: Observation, { freshMs }: Pick<Aspect<unknown>, 'freshMs'>, now: number): boolean {
  return at <= now && now - at < freshMs
}
