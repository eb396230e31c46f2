import { compiledFor } from '../../shared/compilation/phrase.ts'
import type { CompileRequests, Subscriber } from '../../shared/compilation/requests.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import type { Aborts } from '../../shared/ledger/aborts.ts'
import type { Claim } from '../../shared/ledger/ledger.ts'
import { completionOf, type Recorder } from '../../shared/ledger/recorder.ts'
import { JobFailure } from '../../shared/queue/failure.ts'
import { showOther } from './others.ts'
import type { Tools } from './serve.ts'

/**
 * How often new subscribers are looked for: they learn that the package is being compiled; nothing else waits for it.
 */
const lookMs = 500

export interface SubscriberTools extends Pick<Tools, 'board' | 'worker'> {
  requests: CompileRequests
  recorder: Recorder
  aborts: Aborts
}

/** What is compiled, and for whom. */
export interface CompileSubscription {
  spec: CompileSpec
  subscribers: Subscriber[]
  /** The subscribers whose remodel was begun, by `nameOf`. */
  claims: Map<string, Claim>
  /** `performance.now()` from before `claims` were asked for. */
  asked: number
}

/**
 * The subscribers of a package, while it is compiled:
 *
 * - a remodel that joins later is begun too, and reports for which deployment the package is being
 *   compiled and since when;
 * - a remodel that is cancelled is let go at once, and the work goes on for the others;
 * - `allLeft` aborts when the last one was cancelled, after a last look for new subscribers.
 *
 * `subscribers` and `claims` are kept as they are now, for the report of the outcome.
 */
export class CompileSubscribers {
  readonly #spec: CompileSpec
  readonly #key: string
  readonly #subscribers: Subscriber[]
  readonly #claims: Map<string, Claim>
  readonly #tools: SubscriberTools
  readonly #watches = new Map<string, { end(): void }>()
  readonly #allLeft = new AbortController()
  readonly #since = performance.now()
  readonly #timer: NodeJS.Timeout
  #for: string | undefined
  /** Serialises joins and cancellations, so that a cancellation sees the subscribers that joined before it. */
  #turn: Promise<void> = Promise.resolve()

  constructor({ spec, subscribers, claims, asked }: CompileSubscription, tools: SubscriberTools) {
    this.#spec = spec
    this.#key = spec.key
    this.#subscribers = subscribers
    this.#claims = claims
    this.#tools = tools
    for (const [name, claim] of claims) this.#watch(name, claim, asked)
    this.#next(() => this.#announce([...claims.values()]))
    this.#timer = setInterval(() => this.#next(() => this.#look()), lookMs)
  }

  /** Fires with the reason of the last one who left. */
  get allLeft(): AbortSignal {
    return this.#allLeft.signal
  }

  /** Ends the watch; afterwards `subscribers` and `claims` do not change any more. */
  async end(): Promise<void> {
    clearInterval(this.#timer)
    for (const watch of this.#watches.values()) watch.end()
    await this.#turn
  }

  #watch(name: string, claim: Claim, asked: number): void {
    const watch = this.#tools.aborts.watch(claim, asked)
    this.#watches.set(name, watch)
    const leave = () => this.#next(() => this.#leave(name, claim, watch.signal.reason))
    if (watch.signal.aborted) leave()
    else watch.signal.addEventListener('abort', leave)
  }

  /** A failure here is made up for at the next look, and every subscriber gets the outcome at the end. */
  #next(what: () => Promise<void>): void {
    this.#turn = this.#turn.then(what).catch(() => {})
  }

  async #look(): Promise<void> {
    const known = new Set(this.#subscribers.map(nameOf))
    const now = (await this.#tools.requests.read(this.#key))?.subscribers ?? []
    const late = now.filter((subscriber) => !known.has(nameOf(subscriber)))
    if (late.length === 0) return
    const asked = performance.now()
    const begun = await join(late, this.#tools)
    this.#subscribers.push(...late)
    for (const [name, claim] of begun) {
      this.#claims.set(name, claim)
      this.#watch(name, claim, asked)
    }
    await this.#announce([...begun.values()])
  }

  async #leave(name: string, claim: Claim, reason: unknown): Promise<void> {
    await this.#look()
    if (this.#claims.size === 1) return this.#allLeft.abort(reason)
    this.#claims.delete(name)
    const { deployment, plan, remodel, fence } = claim
    const completion = completionOf(reason)
    await this.#tools.recorder.complete(deployment, { plan, remodel: remodel.id, fence, ...completion })
    showOther(this.#spec, claim, new JobFailure(`${completion.code}: ${completion.message}`), this.#tools)
    await this.#tools.requests.settle(this.#key, [{ deployment, plan, remodel: remodel.id }])
    if (deployment === this.#for) await this.#announce([...this.#claims.values()], deployment)
  }

  /** Tells `claims` for whom it is compiled; `before`: for whom it was until now. */
  async #announce(claims: readonly Claim[], before?: string): Promise<void> {
    const first = (await this.#tools.requests.asked([this.#key])).get(this.#key)
    if (!first) return
    this.#for = first.deployment
    for (const { deployment, plan, remodel, fence } of claims) {
      const own = deployment === this.#for
      if (own && before === undefined) continue
      const phrase = own
        ? `goes on for ${deployment}: deployment ${before} was cancelled`
        : compiledFor(this.#for, performance.now() - this.#since)
      this.#tools.recorder.say(deployment, { plan, remodel: remodel.id, fence }, phrase)
    }
  }
}

/**
 * Begins the remodels that wait for the key; those of plans that are over drop out. The first one that can be begun,
 * the asker before all others, is the one the package is compiled for: should its compiler die, that costs it an
 * attempt. The others only join, and a death costs them none.
 */
export async function begin(
  subscribers: readonly Subscriber[],
  asker: Subscriber | undefined,
  tools: Pick<SubscriberTools, 'recorder'>,
): Promise<Map<string, Claim>> {
  const first = asker === undefined ? '' : nameOf(asker)
  const rest = subscribers.toSorted((a, b) => Number(nameOf(b) === first) - Number(nameOf(a) === first))
  const claims = new Map<string, Claim>()
  for (let next = rest.shift(); next; next = claims.size === 0 ? rest.shift() : undefined)
    await claim(next, false, claims, tools)
  await Promise.all(rest.map((subscriber) => claim(subscriber, true, claims, tools)))
  return claims
}

/** Begins those that join a package which is compiled, or was, for another one. */
export async function join(
  subscribers: readonly Subscriber[],
  tools: Pick<SubscriberTools, 'recorder'>,
): Promise<Map<string, Claim>> {
  const claims = new Map<string, Claim>()
  await Promise.all(subscribers.map((subscriber) => claim(subscriber, true, claims, tools)))
  return claims
}

async function claim(
  subscriber: Subscriber,
  joins: boolean,
  claims: Map<string, Claim>,
  { recorder }: Pick<SubscriberTools, 'recorder'>,
): Promise<void> {
  // Even from a compiler that lives: the claim on the key is ours, so that one has lost it.
  const { deployment, plan, remodel } = subscriber
  const result = await recorder.claim(deployment, { plan, remodel, job: 'compile', joins }, true)
  if (result.status === 'claimed') claims.set(nameOf(subscriber), result.claim)
}

/** A subscriber as one word: the key of `claims`. */
export function nameOf({ deployment, plan, remodel }: Subscriber): string {
  return `${deployment} ${plan} ${remodel}`
}
