import type { Permit, Remodel, Window } from '../../../shared/model/plan.ts'

/** In the place of the number of a permit: none yet, and more than one. */
const none = -1
const several = -2

/**
 * Remodels that could wait for ever. One that holds a permit, by an earlier remodel, and waits for a remodel with
 * another permit, waits for that permit. Where windows are waited for in a circle (one and the same is the
 * shortest), all permits may be held by remodels that wait for each other. A window with room for each of its
 * permits is never waited for.
 *
 * @param ordered so that everything comes after what it needs
 */
export function waitsForPermits(
  ordered: readonly Remodel[],
  { permits, windows }: { permits: readonly Permit[]; windows: readonly Window[] },
): string[] {
  const plan = indexed(ordered, permits)
  const narrow = windows.filter(
    ({ name, limit }) => permits.filter((permit) => permit.windows.includes(name)).length > limit,
  )
  const waits = new Map<string, Map<string, string>>(narrow.map(({ name }) => [name, new Map()]))
  for (const { name } of narrow) {
    const inWindow = permits.map((permit) => permit.windows.includes(name))
    for (const at of candidates(plan, inWindow)) {
      const other = lateNeed(plan, inWindow, at)
      if (other === undefined) continue
      const own = permits[plan.permitOf[at]!]!
      const text = `${ordered[at]!.id} holds permit ${own.name} and waits for ${ordered[other]!.id}, which needs one of ${name}`
      for (const held of own.windows) waits.get(held)?.set(name, text)
    }
  }
  return circles(waits)
}

/**
 * Of each window that is waited for by those that hold one in it, directly or over others: the
 * first wait of the circle.
 */
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
  /** Of each remodel, by position: what it needs, and the number of its permit. */
  needs: readonly (readonly number[])[]
  permitOf: Int32Array
  membersOf: ReadonlyMap<number, readonly number[]>
  /** Those that alone begin with their permit: it is taken when all that they need has ended. */
  begins: ReadonlySet<number>
}

function indexed(ordered: readonly Remodel[], permits: readonly Permit[]): Indexed {
  const position = new Map(ordered.map(({ id }, at) => [id, at]))
  const number = new Map(permits.map(({ name }, at) => [name, at]))
  const permitOf = Int32Array.from(ordered, ({ permit }) => (permit === undefined ? none : number.get(permit)!))
  const needs = ordered.map(({ needs }) => needs.map((need) => position.get(need)!))
  const membersOf = Map.groupBy(ordered.keys(), (at) => permitOf[at]!)
  const begins = new Set<number>()
  for (const [permit, members] of membersOf) {
    const first = members.filter((at) => !needs[at]!.some((need) => permitOf[need] === permit))
    if (permit !== none && first.length === 1) begins.add(first[0]!)
  }
  return { needs, permitOf, membersOf, begins }
}

/** Remodels with a permit that wait, directly or over others, for another permit of the window. */
function candidates({ needs, permitOf, begins }: Indexed, inWindow: readonly boolean[]): number[] {
  /** Permit of the window that a remodel waits for over all that it needs. */
  const behind = new Int32Array(needs.length).fill(none)
  const join = (one: number, other: number) => (one === none || one === other ? other : other === none ? one : several)
  const found: number[] = []
  const isIn = (permit: number) => permit !== none && inWindow[permit]!
  for (let at = Math.max(0, permitOf.findIndex(isIn)); at < needs.length; at++) {
    const own = permitOf[at]!
    let [all, others] = [none, none]
    for (const need of needs[at]!) {
      const permit = permitOf[need]!
      const through = join(behind[need]!, isIn(permit) ? permit : none)
      all = join(all, through)
      // What an earlier remodel with its own permit waits for is that one's to be looked at.
      if (permit !== own) others = join(others, through)
    }
    behind[at] = all
    if (own !== none && others !== none && others !== own && !begins.has(at)) found.push(at)
  }
  return found
}

/**
 * What it waits for though its permit may be held by then: a remodel with another permit of the window that some first
 * remodel with its own permit does not wait for.
 */
function lateNeed(plan: Indexed, inWindow: readonly boolean[], at: number): number | undefined {
  const own = plan.permitOf[at]!
  const waited = [...ancestors(plan, at)].filter((other) => {
    const permit = plan.permitOf[other]!
    return permit !== own && permit !== none && inWindow[permit]
  })
  const first = (plan.membersOf.get(own) ?? []).filter((one) => !reaches(plan, one, own))
  for (const entry of first) {
    const before = ancestors(plan, entry)
    const late = waited.find((other) => !before.has(other))
    if (late !== undefined) return late
  }
  return undefined
}

const reaches = (plan: Indexed, at: number, permit: number) =>
  [...ancestors(plan, at)].some((other) => plan.permitOf[other] === permit)

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
