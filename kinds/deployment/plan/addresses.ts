import type { ReservedNames } from '../../../shared/model/reservation.ts'
import { find, merge, size } from './network/intervals.ts'
import { formatIp, type Interval, type Ip, parseIp } from './network/ip.ts'
import { addressIn } from './reservations.ts'
import type { NetworkStrategy } from './strategy.ts'

interface Pool {
  name: string
  azs: ReadonlySet<string> | null
  first: Ip
  last: Ip
  /** What is never given by itself: reserved and static, merged. */
  closed: Interval[]
  space: string | undefined
  /** Everything below has been looked at and was not free. */
  cursor: Ip
}

/**
 * Gives dynamic addresses: the first free one of the subnet of an instance's AZ that is not reserved, static, taken
 * or in the way of something else (`DP/ip_provider/*`).
 *
 * Addresses of machines that will go are only given when nothing else is left, as they are not free until then.
 */
export class AddressBook {
  readonly #pools = new Map<string, Pool[]>()
  /** Addresses that the finished deployment uses. */
  readonly #taken = new Set<string>()
  /** Names that other deployments hold. */
  readonly #reserved: ReservedNames
  /** Addresses that some machine holds today. */
  readonly #held: ReadonlySet<string>
  /** Of these, the ones whose machine goes away anyway, in the order they may be taken. */
  readonly #leaving: Set<string>

  constructor(
    networks: Record<string, NetworkStrategy>,
    reserved: ReservedNames,
    held: ReadonlySet<string>,
    leaving: readonly string[],
  ) {
    for (const [name, network] of Object.entries(networks)) {
      if (network.type === 'manual')
        this.#pools.set(
          name,
          network.subnets.map((subnet) => pool(name, subnet)),
        )
    }
    this.#reserved = reserved
    this.#held = held
    this.#leaving = new Set(leaving)
  }

  /** True where an instance of `az` may have this dynamic address: no other deployment holds it. */
  fits(network: string, az: string | null, address: string): boolean {
    const ip = parseIp(address)
    if (ip === null) return false
    return this.#of(network, az).some(
      (one) => ip >= one.first && ip <= one.last && !find(one.closed, ip) && !this.#isReserved(one, address),
    )
  }

  isTaken(address: string): boolean {
    return this.#taken.has(address)
  }

  take(address: string): void {
    this.#taken.add(address)
  }

  /**
   * The next free address, taken; null where the subnets are full. `fresh` refuses addresses
   * that a machine still holds.
   */
  give(network: string, az: string | null, fresh: boolean): string | null {
    for (const one of this.#of(network, az)) {
      const found = this.#next(one)
      if (found !== null) {
        this.#taken.add(found)
        return found
      }
    }
    if (fresh) return null
    for (const address of this.#leaving) {
      if (this.#taken.has(address) || !this.fits(network, az, address)) continue
      this.#leaving.delete(address)
      this.#taken.add(address)
      return address
    }
    return null
  }

  /** `subnet 10.0.0.0 - 10.0.0.7: 3 of 3 dynamic addresses used`, for the fault. */
  counts(network: string, az: string | null): string {
    return this.#of(network, az)
      .map((one) => {
        const closed = size(one.closed)
        const all = one.last - one.first + 1n - closed
        return `${formatIp(one.first)} - ${formatIp(one.last)} has ${all} dynamic addresses and ${closed} reserved or static ones`
      })
      .join('; ')
  }

  #of(network: string, az: string | null): Pool[] {
    return (this.#pools.get(network) ?? []).filter((one) =>
      az === null ? one.azs === null : (one.azs?.has(az) ?? false),
    )
  }

  #next(one: Pool): string | null {
    while (one.cursor <= one.last) {
      const closed = find(one.closed, one.cursor)
      if (closed) {
        one.cursor = closed[1] + 1n
        continue
      }
      const address = formatIp(one.cursor)
      one.cursor += 1n
      if (!this.#taken.has(address) && !this.#held.has(address) && !this.#isReserved(one, address)) return address
    }
    return null
  }

  #isReserved({ space }: Pool, address: string): boolean {
    return this.#reserved.holderOf(addressIn(space, address)) !== undefined
  }
}

function pool(name: string, subnet: NetworkStrategy['subnets'][number]): Pool {
  const intervals = [...subnet.blocked, ...subnet.static].map(
    ([first, last]): Interval => [parseIp(first) ?? 0n, parseIp(last) ?? 0n],
  )
  const first = parseIp(subnet.first) ?? 0n
  return {
    name,
    azs: subnet.azs ? new Set(subnet.azs) : null,
    first,
    last: parseIp(subnet.last) ?? 0n,
    closed: merge(intervals),
    space: subnet.space,
    cursor: first,
  }
}
