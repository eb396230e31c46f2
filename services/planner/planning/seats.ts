import type { Place, Remodel, Window } from '../../../shared/model/plan.ts'

/** Nothing yet, and more than one place, where else stands the number of a place. */
const none = -1
const several = -2

/**
 * Remodels that could wait for ever. One that holds a seat, by an earlier remodel of its place, and waits for a remodel of another place, waits
 * for a seat in that one's windows. Where windows are waited for in a circle (one and the same is the shortest), all seats
 * may be held by places that wait for each other. A window with a seat for each of its places is never waited for.
 *
 * @param ordered so that everything comes after what it needs
 */
export function waitsForSeats(
  ordered: readonly Remodel[],
  { places, windows }: { places: readonly Place[]; windows: readonly Window[] },
): string[] {
  const plan = indexed(ordered, places)
  const narrow = windows.filter(
    ({ name, limit }) => places.filter((place) => place.windows.includes(name)).length > limit,
  )
  const waits = new Map<string, Map<string, string>>(narrow.map(({ name }) => [name, new Map()]))
  for (const { name } of narrow) {
    const inWindow = places.map((place) => place.windows.includes(name))
    for (const at of candidates(plan, inWindow)) {
      const other = lateNeed(plan, inWindow, at)
      if (other === undefined) continue
      const own = places[plan.placeOf[at]!]!
      const text = `${ordered[at]!.id} holds a seat of ${own.name} and waits for ${ordered[other]!.id}, which needs one in ${name}`
      for (const held of own.windows) waits.get(held)?.set(name, text)
    }
  }
  return circles(waits)
}

/** Of each window that is waited for by those that hold one in it, directly or over others: the first wait of the circle. */
function circles(waits: ReadonlyMap<string, ReadonlyMap<string, string>>): string[] {
  const found = new Set<string>()
  for (const [window, next] of waits) {
    for (const [to, text] of next) if (to === window || leadsTo(waits, to, window)) found.add(text)
  }
  return [...found]
}

function leadsTo(waits: ReadonlyMap<string, ReadonlyMap<string, string>>, from: string, to: string): boolean {
  const seen = new Set([from])
  for (const window of seen) {
    for (const next of waits.get(window)?.keys() ?? []) seen.add(next)
  }
  return seen.has(to)
}

interface Indexed {
  /** Of each remodel, by position: what it needs, and the number of its place. */
  needs: readonly (readonly number[])[]
  placeOf: Int32Array
  membersOf: ReadonlyMap<number, readonly number[]>
  /** Those that alone begin their place: the seat is taken when all that they need has ended. */
  begins: ReadonlySet<number>
}

function indexed(ordered: readonly Remodel[], places: readonly Place[]): Indexed {
  const position = new Map(ordered.map(({ id }, at) => [id, at]))
  const number = new Map(places.map(({ name }, at) => [name, at]))
  const placeOf = Int32Array.from(ordered, ({ place }) => (place === undefined ? none : number.get(place)!))
  const needs = ordered.map(({ needs }) => needs.map((need) => position.get(need)!))
  const membersOf = Map.groupBy(ordered.keys(), (at) => placeOf[at]!)
  const begins = new Set<number>()
  for (const [place, members] of membersOf) {
    const first = members.filter((at) => !needs[at]!.some((need) => placeOf[need] === place))
    if (place !== none && first.length === 1) begins.add(first[0]!)
  }
  return { needs, placeOf, membersOf, begins }
}

/** Remodels of a place that wait, directly or over others, for another place of the window. */
function candidates({ needs, placeOf, begins }: Indexed, inWindow: readonly boolean[]): number[] {
  /** Place of the window that a remodel waits for over all that it needs. */
  const behind = new Int32Array(needs.length).fill(none)
  const join = (one: number, other: number) => (one === none || one === other ? other : other === none ? one : several)
  const found: number[] = []
  const isIn = (place: number) => place !== none && inWindow[place]!
  for (let at = Math.max(0, placeOf.findIndex(isIn)); at < needs.length; at++) {
    const own = placeOf[at]!
    let [all, others] = [none, none]
    for (const need of needs[at]!) {
      const place = placeOf[need]!
      const through = join(behind[need]!, isIn(place) ? place : none)
      all = join(all, through)
      // What an earlier remodel of its own place waits for is that one's to be looked at.
      if (place !== own) others = join(others, through)
    }
    behind[at] = all
    if (own !== none && others !== none && others !== own && !begins.has(at)) found.push(at)
  }
  return found
}

/**
 * What it waits for though its place may have the seat by then: a remodel of another place of the window that some first remodel of its
 * own place does not wait for.
 */
function lateNeed(plan: Indexed, inWindow: readonly boolean[], at: number): number | undefined {
  const own = plan.placeOf[at]!
  const waited = [...ancestors(plan, at)].filter((other) => {
    const place = plan.placeOf[other]!
    return place !== own && place !== none && inWindow[place]
  })
  const first = (plan.membersOf.get(own) ?? []).filter((one) => !reaches(plan, one, own))
  for (const entry of first) {
    const before = ancestors(plan, entry)
    const late = waited.find((other) => !before.has(other))
    if (late !== undefined) return late
  }
  return undefined
}

const reaches = (plan: Indexed, at: number, place: number) =>
  [...ancestors(plan, at)].some((other) => plan.placeOf[other] === place)

function ancestors({ needs }: Indexed, at: number): Set<number> {
  const seen = new Set<number>()
  const open = [...needs[at]!]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    open.push(...needs[next]!)
  }
  return seen
}
