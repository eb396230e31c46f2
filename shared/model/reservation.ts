import { z } from 'zod'

/**
 * A name that one deployment holds at a time. Its parts are never put together for others to take apart: two names are
 * the same where type, scope and name are.
 */
export const ExclusiveName = z.object({
  /** What it is: `address`, `port`, `hostname`. */
  type: z.string().min(1),
  /** Within what it is exclusive: a network of the cloud, an address; empty where there is one space for all. */
  scope: z.string(),
  name: z.string().min(1),
})
export type ExclusiveName = z.infer<typeof ExclusiveName>

/** Names of one type in one scope. */
export type Space = Pick<ExclusiveName, 'type' | 'scope'>

/** An exclusive name that a plan needs, and the material that uses it: the name is held for as long as that exists. */
export const Reservation = ExclusiveName.extend({ material: z.string() })
export type Reservation = z.infer<typeof Reservation>

/** Who holds a name that was asked for. */
export interface Holder {
  name: ExclusiveName
  deployment: string
  /** The plan that took it last; empty where it is held by what stood already when reservations began. */
  plan: string
}

/** Text that is equal exactly where the names are. */
export function nameKey({ type, scope, name }: ExclusiveName): string {
  return JSON.stringify([type, scope, name])
}

/** For people: `address 10.0.0.5`, `port 5432 of 10.0.0.5`. */
export function nameText({ type, scope, name }: ExclusiveName): string {
  return `${type} ${name}${scope === '' ? '' : ` of ${scope}`}`
}

/** The names that other deployments hold, as a value for those who draw plans: who holds a name, if anybody does. */
export class ReservedNames {
  readonly #holders: readonly ReadonlyMap<string, string>[]
  readonly #deployment: string | undefined

  /** Deployments by `nameKey`, each name in one of the maps; those that `deployment` holds are not reserved. */
  constructor(holders: readonly ReadonlyMap<string, string>[] = [], deployment?: string) {
    this.#holders = holders.filter(({ size }) => size > 0)
    this.#deployment = deployment
  }

  holderOf(name: ExclusiveName): string | undefined {
    if (this.#holders.length === 0) return undefined
    const key = nameKey(name)
    const holder = this.#holders.map((one) => one.get(key)).find((found) => found !== undefined)
    return holder === this.#deployment ? undefined : holder
  }
}
