/** An instance that exists today, as placement sees it. */
export interface Existing {
  index: number
  az: string | null
  /** It holds a disk that is kept, so it cannot leave its AZ. */
  pinned: boolean
  /** Network name -> address. */
  addresses: Record<string, string>
}

/** What a group asks for. */
export interface Wanted {
  count: number
  /** null: no AZs. */
  azs: readonly string[] | null
  /** Networks with static addresses, and the AZs each address may serve (null: any). */
  statics: readonly { network: string; addresses: readonly { address: string; azs: readonly string[] | null }[] }[]
}

export interface Placed {
  index: number
  az: string | null
  isNew: boolean
  /** Network name -> static address. */
  statics: Record<string, string>
}

export interface Placement {
  /** By index. */
  placed: Placed[]
  /** Indexes of instances that have no place any more. */
  obsolete: number[]
  /** Why not all could be placed: one sentence. */
  fault: string | null
}

/**
 * Instances of one group over AZs. Pure; ties go by name, indexes from low to high (`DP/placement_planner/*`):
 *
 * 1. An instance that holds a disk stays in its AZ, as long as the group still has that AZ.
 * 2. The rest is balanced: each wanted instance goes to the AZ with the fewest; among equals to the one where most
 *    existing ones still wait for a place, then by name. It takes the lowest existing instance there, else it is new.
 * 3. An instance without a place is obsolete. A new one gets the lowest index that no existing one has,
 *    obsolete ones included.
 *
 * With static addresses the address decides about the AZ: see `placeStatics`.
 */
export function place(wanted: Wanted, existing: readonly Existing[]): Placement {
  const sorted = [...existing].sort((a, b) => a.index - b.index)
  const chosen =
    wanted.statics.length > 0 ? placeStatics(wanted, sorted) : { slots: placeBalanced(wanted, sorted), fault: null }
  const kept = new Set(chosen.slots.map((slot) => slot.from))
  const used = new Set(sorted.map((instance) => instance.index))
  let free = 0
  const placed = chosen.slots.map(({ from, az, statics }): Placed => {
    if (from) return { index: from.index, az, isNew: false, statics }
    while (used.has(free)) free++
    used.add(free)
    return { index: free, az, isNew: true, statics }
  })
  return {
    placed: placed.sort((a, b) => a.index - b.index),
    obsolete: sorted.filter((instance) => !kept.has(instance)).map((instance) => instance.index),
    fault: chosen.fault,
  }
}

interface Slot {
  from: Existing | null
  az: string | null
  statics: Record<string, string>
}

function placeBalanced(wanted: Wanted, existing: readonly Existing[]): Slot[] {
  const azs: (string | null)[] = wanted.azs ? [...wanted.azs].sort() : [null]
  const weight = new Map(azs.map((az) => [az, 0]))
  const slots: Slot[] = []
  const put = (az: string | null, from: Existing | null) => {
    weight.set(az, (weight.get(az) ?? 0) + 1)
    slots.push({ from, az, statics: {} })
  }
  const staying = existing.filter((instance) => weight.has(instance.az))
  for (const instance of mostSpread(
    staying.filter((one) => one.pinned),
    wanted.count,
  ))
    put(instance.az, instance)

  const waiting = new Map(azs.map((az) => [az, staying.filter((one) => !one.pinned && one.az === az).reverse()]))
  while (slots.length < wanted.count) {
    let best = azs[0] ?? null
    for (const az of azs) {
      const lighter = (weight.get(az) ?? 0) - (weight.get(best) ?? 0)
      const more = (waiting.get(az)?.length ?? 0) - (waiting.get(best)?.length ?? 0)
      if (lighter < 0 || (lighter === 0 && more > 0)) best = az
    }
    put(best, waiting.get(best)?.pop() ?? null)
  }
  return slots
}

/** At most `count` of them: the highest index of the fullest AZ leaves first. */
function mostSpread(pinned: readonly Existing[], count: number): Existing[] {
  const stacks = [...Map.groupBy(pinned, (one) => one.az).values()]
  const top = (stack: readonly Existing[]) => stack.at(-1)?.index ?? -1
  for (let excess = pinned.length - count; excess > 0; excess--) {
    const fullest = stacks.reduce((a, b) => (b.length > a.length || (b.length === a.length && top(b) > top(a)) ? b : a))
    fullest.pop()
  }
  return stacks.flat().sort((a, b) => a.index - b.index)
}

/**
 * 1. An instance that holds one of the addresses of the first network, in an AZ that the address serves, keeps both.
 * 2. Of the others, those with a disk take the first free address that serves their AZ.
 * 3. Each address left goes to the AZ with the fewest instances that it serves; an instance that is there takes it
 *    (lowest index first), else a new one.
 * The addresses of further networks then follow the AZ: kept where held, else the first free one that serves it.
 */
function placeStatics(wanted: Wanted, existing: readonly Existing[]): { slots: Slot[]; fault: string | null } {
  const [first, ...others] = wanted.statics
  if (!first) return { slots: [], fault: null }
  const azs = wanted.azs ? new Set(wanted.azs) : null
  const inGroup = (az: string | null) => (azs ? az !== null && azs.has(az) : az === null)
  const serves = (of: readonly string[] | null, az: string | null) => of === null || az === null || of.includes(az)
  const load = new Map<string | null, number>()
  const slots: Slot[] = []
  const open = new Map(first.addresses.map((entry) => [entry.address, entry]))
  const left = new Set(existing)
  const put = (address: string, az: string | null, from: Existing | null) => {
    open.delete(address)
    if (from) left.delete(from)
    load.set(az, (load.get(az) ?? 0) + 1)
    slots.push({ from, az, statics: { [first.network]: address } })
  }
  const pinnedFirst = [...existing].sort((a, b) => Number(b.pinned) - Number(a.pinned))
  const held = (one: Existing, network: string) => one.addresses[network] ?? ''
  for (const one of pinnedFirst) {
    // A network may have been renamed: what counts is the address.
    const mine = [held(one, first.network), ...Object.values(one.addresses)]
      .map((address) => open.get(address))
      .find(Boolean)
    if (mine && inGroup(one.az) && serves(mine.azs, one.az)) put(mine.address, one.az, one)
  }
  for (const one of pinnedFirst) {
    if (!one.pinned || !left.has(one) || !inGroup(one.az)) continue
    const mine = firstWhere(open, (entry) => serves(entry.azs, one.az))
    if (mine) put(mine.address, one.az, one)
  }
  const waiting = Map.groupBy(
    [...left].sort((a, b) => b.index - a.index),
    (one) => one.az,
  )
  for (const { address, azs: served } of [...open.values()]) {
    const able: (string | null)[] = wanted.azs ? [...wanted.azs].filter((az) => serves(served, az)).sort() : [null]
    const here = able
      .map((az) => waiting.get(az))
      .reduce((a, b) => ((b?.at(-1)?.index ?? Infinity) < (a?.at(-1)?.index ?? Infinity) ? b : a), undefined)
      ?.pop()
    const lightest = able.reduce(
      (best, az) => ((load.get(az) ?? 0) < (load.get(best) ?? 0) ? az : best),
      able[0] ?? null,
    )
    put(address, here ? here.az : lightest, here ?? null)
  }
  const kept = slots.sort((a, b) => (a.from?.index ?? Infinity) - (b.from?.index ?? Infinity)).slice(0, wanted.count)
  return { slots: kept, fault: placeOthers(others, kept, held, serves) }
}

function placeOthers(
  others: Wanted['statics'],
  slots: readonly Slot[],
  held: (one: Existing, network: string) => string,
  serves: (of: readonly string[] | null, az: string | null) => boolean,
): string | null {
  for (const { network, addresses } of others) {
    const open = new Map(addresses.map((entry) => [entry.address, entry]))
    const without: Slot[] = []
    for (const slot of slots) {
      const mine = slot.from ? open.get(held(slot.from, network)) : undefined
      if (mine && serves(mine.azs, slot.az)) {
        slot.statics[network] = mine.address
        open.delete(mine.address)
      } else without.push(slot)
    }
    for (const slot of without) {
      const mine = firstWhere(open, (entry) => serves(entry.azs, slot.az))
      if (!mine)
        return `the static addresses of network "${network}" cannot be shared out: none is left for az ${slot.az ?? 'none'}`
      slot.statics[network] = mine.address
      open.delete(mine.address)
    }
  }
  return null
}

function firstWhere<Value>(of: ReadonlyMap<unknown, Value>, holds: (value: Value) => boolean): Value | undefined {
  for (const value of of.values()) if (holds(value)) return value
  return undefined
}
