import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../shared/api/client.ts'
import { RemodelError, toError } from '../../shared/runtime/errors.ts'
import type { Random } from '../../test/sim/random.ts'
import { planSmall, type SmallOptions, uploadSmall } from '../../test/support/small.ts'

/** Few, so that what is compiled comes again once it was cleaned away, and keys of packages do not grow in number. */
const stemcells = ['1', '2', '3', '4', '5', '6']

type Wish =
  | { end: 'done' | 'failed'; options: SmallOptions }
  /** Cancelled this many milliseconds after it was applied; it may be done before. */
  | { end: 'cancelled'; options: SmallOptions; afterMs: number }
  | { end: 'gone' }

export interface Tally {
  done: number
  /** Failed as wished: their properties ask for it. */
  failed: number
  cancelled: number
  removed: number
  /** Tries that ended another way than wished, and were made again. */
  again: Record<string, number>
  /** Wishes that did not come true however often they were tried. */
  lost: string[]
}

interface Ended {
  ended: string
  /** Its root causes. */
  why: string
}

export function emptyTally(): Tally {
  return { done: 0, failed: 0, cancelled: 0, removed: 0, again: {}, lost: [] }
}

/**
 * The releases, stemcells and configs that a planner needs before anything can be planned; also after a clean-up has
 * deleted unused ones.
 */
export async function upload(client: Client): Promise<void> {
  await uploadSmall(client)
  for (const version of stemcells) await client.addStemcell({ name: 'local', os: 'local', version })
}

/**
 * One deployment that is made, changed, broken, mended, cancelled and removed, one after the other, for a given time.
 */
export class Life {
  readonly #name: string
  readonly #net: number
  readonly #client: Client
  readonly #random: Random
  readonly #tally: Tally
  readonly #tell: (what: object) => void
  #deployed: SmallOptions | null = null

  constructor(
    name: string,
    parts: { net: number; client: Client; random: Random; tally: Tally; tell(what: object): void },
  ) {
    this.#name = name
    this.#net = parts.net
    this.#client = parts.client
    this.#random = parts.random
    this.#tally = parts.tally
    this.#tell = parts.tell
  }

  /** Lives until `over`; a wish that was begun is brought to its end. */
  async live(over: () => boolean, pauseMs: readonly [number, number]): Promise<void> {
    while (!over()) {
      await this.#fulfil(this.#next())
      await sleep(this.#random.int(...pauseMs))
    }
  }

  /** The same two plans whatever was before: what is kept of a deployment is alike after it. */
  async settle(): Promise<void> {
    await this.#fulfil({ end: 'gone' })
    await this.#fulfil({ end: 'done', options: { instances: 1, stemcell: '1', greeting: 'the last' } })
    await this.#fulfil({ end: 'gone' })
  }

  #next(): Wish {
    const draw = this.#random
    if (this.#deployed !== null && draw.chance(0.12)) return { end: 'gone' }
    const options: SmallOptions = {
      instances: draw.int(1, 3),
      stemcell: draw.pick(stemcells),
      front: draw.chance(0.3),
      canaries: draw.int(0, 1),
      maxInFlight: draw.int(1, 3),
      vmStrategy: draw.pick(['delete-create', 'create-swap-delete']),
      reuse: draw.chance(0.7),
      // Never the present state: a plan without remodels could not be applied, and would lie about for a day.
      greeting: `hello ${draw.int(1, 1e9)}`,
    }
    const what = draw.next()
    if (what < 0.08) return { end: 'failed', options: { ...options, fail: true } }
    if (what < 0.2) return { end: 'cancelled', options, afterMs: draw.int(0, 800) }
    return { end: 'done', options }
  }

  async #fulfil(wish: Wish): Promise<void> {
    for (let tries = 0; tries < 60; tries++) {
      try {
        const { ended, why } = await this.#attempt(wish)
        if (ended === expected(wish) || (wish.end === 'cancelled' && ended === 'done')) {
          this.#count(wish, ended)
          return
        }
        this.#again(`a plan ${ended}`, why)
      } catch (error) {
        const code = error instanceof RemodelError ? error.code : 'unknown'
        if (wish.end === 'gone' && code === 'not-found') return
        // No deployment used the release when the last clean-up came.
        if (code === 'not-found' || code === 'invalid-input') await upload(this.#client).catch(() => {})
        this.#again(code, toError(error).message)
        await sleep(500)
      }
    }
    this.#tally.lost.push(`${this.#name}: ${JSON.stringify(wish)}`)
  }

  async #attempt(wish: Wish): Promise<Ended> {
    const { plan } =
      wish.end === 'gone'
        ? await this.#client.planRemoval(this.#name)
        : await planSmall(this.#client, { ...wish.options, name: this.#name, net: this.#net })
    if (plan.remodels.length === 0) {
      // It would wait for a day to be applied, and be counted as a key that stays.
      await this.#client.cancel(plan.id)
      return { ended: expected(wish), why: 'nothing was to do' }
    }
    await this.#client.apply(plan.id, { waitSeconds: 10 })
    this.#deployed = wish.end === 'gone' ? null : wish.options
    if (wish.end === 'cancelled') {
      await sleep(wish.afterMs)
      // It may be over already.
      await this.#client.cancel(plan.id).catch(() => {})
    }
    return this.#ended(plan.id)
  }

  async #ended(plan: string): Promise<Ended> {
    const until = performance.now() + 180_000
    while (performance.now() < until) {
      const { status } = await this.#client.planView(plan)
      const { state, errors } = status
      if (state === 'done' || state === 'failed' || state === 'cancelled')
        return { ended: state, why: errors.map(({ code, message }) => `${code}: ${message}`).join('; ') }
      await sleep(250)
    }
    return { ended: 'did not end', why: 'it took three minutes' }
  }

  #count(wish: Wish, ended: string): void {
    if (wish.end === 'gone') this.#tally.removed += 1
    else if (ended === 'failed' || ended === 'cancelled') this.#tally[ended] += 1
    else this.#tally.done += 1
  }

  #again(what: string, why: string): void {
    this.#tally.again[what] = (this.#tally.again[what] ?? 0) + 1
    this.#tell({ deployment: this.#name, again: `${what}: ${why}` })
  }
}

function expected(wish: Wish): string {
  return wish.end === 'gone' ? 'done' : wish.end
}
