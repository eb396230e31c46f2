import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { type ExclusiveName, type Holder, nameKey, ReservedNames, type Space } from '../model/reservation.ts'
import { capTimes } from '../runtime/redis/cap-times.ts'
import type { RedisSettings } from '../runtime/redis.ts'

/** How many names one script takes or lets go. */
const slice = 500

/**
 * Why a deployment holds names:
 * - `stands`: materials of its recorded floorplan use them;
 * - `plan`: a plan that is about to be opened, or is open, needs them. `round` is which of its attempts to be opened
 *   this is (`Ledger.open`);
 * - `doubt`: a plan that failed began to make what uses them, and did not record whether it is there.
 * A name is free when it is held on no ground any more.
 */
export type Ground =
  | { deployment: string; why: 'stands' | 'doubt' }
  | { deployment: string; why: 'plan'; plan: string; round: string }

/** A ground that ends with its plan, and when it was taken: seconds by Redis' clock. */
export type OpenGround = Ground & { why: 'plan'; since: number }

/** What was read of spaces, and the mark of the last change that Redis had before. */
interface Read {
  changed: string | null
  /** Space -> `nameKey` -> the deployment that holds it. */
  spaces: Map<string, ReadonlyMap<string, string>>
}

type Script = (base: string, ...argv: string[]) => Promise<string | number>
const source = (name: string) => readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8')
const sources = { hold: source('hold'), letGo: source('let-go') }

/**
 * Which deployment holds which exclusive name: one hash tag of its own, so no script reaches from here into the slot
 * of a deployment. `Ledger.open` takes names before a plan begins; `services/planner/reservations` gives them back.
 */
export class Names {
  readonly #redis: Redis
  readonly #base: string
  readonly #scripts: Record<keyof typeof sources, Script>
  #read: Read = { changed: null, spaces: new Map() }

  constructor(redis: Redis, settings: RedisSettings) {
    this.#redis = redis
    this.#base = `${settings.prefix}:{names}`
    const define = (name: keyof typeof sources): Script => {
      const command = `names_${name}`
      redis.defineCommand(command, { numberOfKeys: 1, lua: sources[name] })
      return (...argv) => (redis as unknown as Record<string, Script>)[command]!(...argv)
    }
    this.#scripts = { hold: define('hold'), letGo: define('letGo') }
  }

  /**
   * Adds names to a ground. Answers who holds those that another deployment has; then the ground may hold some of them,
   * and the caller gives it up. All take names in the same order, so that of two who want the same ones one gets them.
   */
  async hold(ground: Ground, names: readonly ExclusiveName[]): Promise<Holder[]> {
    const sorted = triplesOf(names)
    for (let at = 0; at === 0 || at < sorted.length; at += slice) {
      const words = sorted.slice(at, at + slice).flat()
      const answer = await this.#scripts.hold(this.#base, groundKey(ground), '', '', ...words)
      const holders = holdersOf(answer)
      if (holders.length === 0) continue
      // A planner of an earlier version may have taken them, and says nothing of a change.
      this.#read = { changed: null, spaces: new Map() }
      return holders
    }
    return []
  }

  /**
   * Makes `names` all that is held on a ground `stands`, as of `version` of the floorplan; nothing is changed where a
   * newer one was taken over already. Answers who holds those that others have: they are left out.
   */
  async replace(
    ground: Ground & { why: 'stands' | 'doubt' },
    names: readonly ExclusiveName[],
    version: number,
  ): Promise<Holder[]> {
    const key = groundKey(ground)
    const [wanted, had] = [triplesOf(names), await this.heldOn(ground)]
    const found: Holder[] = []
    for (let at = 0; at === 0 || at < wanted.length; at += slice) {
      const words = wanted.slice(at, at + slice).flat()
      found.push(...holdersOf(await this.#scripts.hold(this.#base, key, String(version), '1', ...words)))
    }
    const kept = new Set(names.map(nameKey))
    await this.#letGo(
      key,
      had.filter((name) => !kept.has(nameKey(name))),
      String(version),
    )
    return found
  }

  /** Gives up a ground and all that is held on it. */
  async giveUp(ground: Ground): Promise<void> {
    await this.#letGo(groundKey(ground), await this.heldOn(ground), '')
  }

  async heldOn(ground: Ground): Promise<ExclusiveName[]> {
    const members = await this.#redis.smembers(`${this.#base}:ground:${groundKey(ground)}`)
    return members.map(readName)
  }

  /** Grounds that end with their plan: of plans that are open or about to be, and of those that are not settled yet. */
  async open(): Promise<OpenGround[]> {
    const found = await this.#redis.zrange(`${this.#base}:open`, '0', '-1', 'WITHSCORES')
    const grounds: OpenGround[] = []
    for (let i = 0; i < found.length; i += 2) {
      const [deployment, , plan, round] = JSON.parse(found[i]!) as [string, string, string, string]
      grounds.push({ deployment, why: 'plan', plan, round, since: Number(found[i + 1]) })
    }
    return grounds
  }

  /** A ground that was taken before the clock of Redis was set back counts as taken now, by that clock, in seconds. */
  async capTaken(now: number): Promise<void> {
    await capTimes(this.#redis, `${this.#base}:open`, now)
  }

  /**
   * What other deployments than `deployment` hold in these spaces. What was read last counts while no script has
   * changed any name since, so that a plan does not cost the more the more deployments there are beside it.
   */
  async reserved(spaces: readonly Space[], deployment: string): Promise<ReservedNames> {
    const changed = await this.#redis.get(`${this.#base}:changed`)
    if (changed === null || changed !== this.#read.changed) this.#read = { changed, spaces: new Map() }
    const read = this.#read.spaces
    const keys = [...new Set(spaces.map(spaceKey))]
    const holders = keys.map(async (key) => {
      const known = read.get(key)
      if (known) return known
      const found = await this.#holdersIn(key)
      read.set(key, found)
      return found
    })
    return new ReservedNames(await Promise.all(holders), deployment)
  }

  async #holdersIn(space: string): Promise<ReadonlyMap<string, string>> {
    const [type, scope] = JSON.parse(space) as [string, string]
    const entries = Object.entries(await this.#redis.hgetall(`${this.#base}:in:${space}`))
    return new Map(
      entries.map(([name, text]) => [nameKey({ type, scope, name }), (JSON.parse(text) as { d: string }).d]),
    )
  }

  /** Deployments whose names were taken over from their floorplan at some time. */
  async known(): Promise<Set<string>> {
    return new Set(await this.#redis.hkeys(`${this.#base}:versions`))
  }

  /** Forgets that a deployment was there; it must hold nothing any more. */
  async forget(deployment: string): Promise<void> {
    await this.#redis.hdel(`${this.#base}:versions`, deployment)
  }

  async #letGo(ground: string, names: readonly ExclusiveName[], version: string): Promise<void> {
    const triples = triplesOf(names)
    for (let at = 0; at === 0 || at < triples.length; at += slice) {
      const words = triples.slice(at, at + slice).flat()
      if ((await this.#scripts.letGo(this.#base, ground, version, ...words)) === 0) return
    }
  }
}

const spaceKey = ({ type, scope }: Space) => JSON.stringify([type, scope])

function groundKey(ground: Ground): string {
  const { deployment, why } = ground
  return JSON.stringify(ground.why === 'plan' ? [deployment, why, ground.plan, ground.round] : [deployment, why])
}

/** What scripts take for a name, each name once, in the order that all keep to. */
function triplesOf(names: readonly ExclusiveName[]): [string, string, string][] {
  const byKey = new Map(names.map((name) => [nameKey(name), name]))
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, name]) => [spaceKey(name), name.name, key])
}

function readName(text: string): ExclusiveName {
  const [type, scope, name] = JSON.parse(text) as [string, string, string]
  return { type, scope, name }
}

function holdersOf(answer: string | number): Holder[] {
  const { taken = [] } = JSON.parse(String(answer)) as { taken?: { name: string; deployment: string; plan: string }[] }
  // An empty list of Lua is an object in JSON.
  return Array.isArray(taken) ? taken.map((one) => ({ ...one, name: readName(one.name) })) : []
}
