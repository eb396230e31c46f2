import type { Redis } from 'ioredis'
import RedlockPackage, { type Lock } from 'redlock'
import { fenceLua } from '../ledger/fences.ts'
import { epochKey } from '../ledger/keys.ts'
import { RemodelError } from '../runtime/errors.ts'
import type { RedisSettings } from '../runtime/redis.ts'

/**
 * Claims: short locks with a fence, for work that must have one doer at a time.
 *
 * The only place that imports `redlock` (5.0.0-beta.2). The rest is done here: a lock that had
 * expired when `acquire` returned is refused; resources are sorted, so that two claims cannot block each other; renewal
 * is our own, and its failure aborts the work; the fence is taken in the same script as the lock.
 */
export class Claims {
  readonly #redis: Redis
  readonly #redlock: RedlockPackage
  readonly #ttlMs: number
  readonly #epochKey: string
  /** Changes whenever Redis has lost writes. */
  #lost: string | null | undefined
  /** Nothing is granted before this time of `performance.now()`. */
  #notBefore = 0

  /** @param ttlMs how long a claim outlives a holder that vanished; it is renewed each third of that. */
  constructor(redis: Redis, settings: RedisSettings, ttlMs = 6000) {
    this.#redis = redis
    this.#epochKey = epochKey(settings)
    this.#ttlMs = ttlMs
    const Redlock = interop(RedlockPackage)
    // A script given as text is silently ignored by this version; one given as a function is taken.
    this.#redlock = new Redlock(
      [redis],
      { retryCount: 0, automaticExtensionThreshold: 0 },
      { acquireScript: () => acquireScript },
    )
    this.#redlock.on('error', () => {})
  }

  /** Takes all of `resources` or none. Throws `locked` with the holder where one is held by another. */
  async take(resources: readonly string[], holder: ClaimHolder): Promise<HeldClaim> {
    const sorted = [...new Set(resources)].sort()
    await this.#waitOutOldLocks(sorted)
    const started = performance.now()
    let lock: Lock
    try {
      lock = await this.#redlock.acquire(sorted, this.#ttlMs)
    } catch (cause) {
      throw await this.#refusal(sorted, cause)
    }
    // An event loop that stalled meanwhile may hold a lock that has run out: it must not be used.
    if (performance.now() - started >= this.#ttlMs * 0.9) {
      await this.#redlock.release(lock).catch(() => {})
      throw new RemodelError('locked', `the claim on ${sorted.join(', ')} ran out before it was ours`, {
        details: { resources: sorted },
      })
    }
    const fences = await this.#redis.mget(sorted.map((resource) => `${resource}:fence`))
    const tokens = fences.map((text) => text?.split(' ') ?? [])
    if (tokens.some(([token]) => token !== lock.value)) {
      throw new RemodelError('locked', `the claim on ${sorted.join(', ')} was taken over at once`, {
        details: { resources: sorted },
      })
    }
    await this.#redis.set(
      `${sorted[0]}:holder`,
      JSON.stringify({ ...holder, token: lock.value }),
      'PX',
      this.#ttlMs * 10,
    )
    return new HeldClaim(this.#redlock, lock, this.#ttlMs, Number(tokens[0]![1]))
  }

  /** Who holds a resource now, or null. */
  async holder(resource: string): Promise<ClaimHolder | null> {
    const [token, text] = await this.#redis.mget(resource, `${resource}:holder`)
    if (!token || !text) return null
    const { token: owner, ...holder } = JSON.parse(text)
    return owner === token ? holder : null
  }

  /**
   * A Redis that came back older has forgotten locks that are still held: nothing is granted until they have run out.
   */
  async #waitOutOldLocks(resources: readonly string[]): Promise<void> {
    const lost = await this.#redis.hget(this.#epochKey, 'lost')
    if (this.#lost !== undefined && lost !== this.#lost) this.#notBefore = performance.now() + this.#ttlMs
    this.#lost = lost
    if (performance.now() >= this.#notBefore) return
    throw new RemodelError(
      'locked',
      `${resources.join(', ')} cannot be claimed before locks that Redis has forgotten run out`,
      {
        details: { resources },
      },
    )
  }

  async #refusal(resources: readonly string[], cause: unknown): Promise<RemodelError> {
    for (const resource of resources) {
      const holder = await this.holder(resource)
      if (holder) {
        return new RemodelError(
          'locked',
          `${resource} is held by ${holder.who} since ${new Date(holder.since).toISOString()}: ${holder.message}`,
          {
            details: { resource, holder },
          },
        )
      }
    }
    return new RemodelError('locked', `${resources.join(', ')} cannot be claimed now`, {
      cause,
      details: { resources },
    })
  }
}

export interface ClaimHolder {
  who: string
  /** Milliseconds since the epoch. */
  since: number
  message: string
}

/**
 * A claim that is held: renewed until `release`. `signal` aborts when a renewal failed or came too late by this
 * process' own monotonic clock; from then on the holder must start no further effect.
 */
export class HeldClaim {
  /** Larger than every fence of the (first) resource before. */
  readonly fence: number
  /** Whose the fence is: what is recorded under a claim names both. */
  readonly token: string
  readonly signal: AbortSignal
  readonly #redlock: RedlockPackage
  readonly #ttlMs: number
  readonly #lost = new AbortController()
  readonly #timer: NodeJS.Timeout
  #lock: Lock
  #renewedAt = performance.now()

  constructor(redlock: RedlockPackage, lock: Lock, ttlMs: number, fence: number) {
    this.#redlock = redlock
    this.#lock = lock
    this.#ttlMs = ttlMs
    this.fence = fence
    this.token = lock.value
    this.signal = this.#lost.signal
    this.#timer = setInterval(() => this.#renew(), ttlMs / 3)
    this.#timer.unref()
  }

  /** Gives the claim back; one that was lost meanwhile is left to its new holder. */
  async release(): Promise<void> {
    clearInterval(this.#timer)
    await this.#redlock.release(this.#lock).catch(() => {})
  }

  async #renew(): Promise<void> {
    const before = performance.now()
    if (before - this.#renewedAt >= this.#ttlMs) return this.#lose('it was not renewed in time')
    try {
      // redlock looks at the clock of this computer, which may have been set: the renewal is in
      // time by the monotonic one.
      this.#lock.expiration = Number.POSITIVE_INFINITY
      this.#lock = await this.#redlock.extend(this.#lock, this.#ttlMs)
      this.#renewedAt = before
    } catch (cause) {
      if (performance.now() - this.#renewedAt >= this.#ttlMs * 0.6) this.#lose('its renewal failed', cause)
    }
  }

  #lose(why: string, cause?: unknown): void {
    clearInterval(this.#timer)
    this.#lost.abort(
      new RemodelError('superseded', `the claim on ${this.#lock.resources.join(', ')} is lost: ${why}`, { cause }),
    )
  }
}

/**
 * KEYS resources, ARGV[1] token, ARGV[2] milliseconds. All or nothing; each resource's fence is the next one
 * (`fence.lua`; where Redis does not tell its run_id every one leaps), is kept for a week after its last use, and
 * remembers whose it is and in which life of Redis it was drawn (`<token> <number> <life>`), so that a holder
 * cannot mistake a later fence for its own. A lock that would last for longer than any is given is from before
 * Redis' clock was set back: the claim that meets it shortens it, and a holder that lives renews it in time.
 * Answers how many were locked.
 */
const acquireScript = `${fenceLua}
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then
    redis.call('PEXPIRE', key, ARGV[2], 'LT')
    return 0
  end
end
local life, seed = life_of_redis(), tonumber(string.sub(ARGV[1], 1, 6), 16)
for _, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
  local last = redis.call('GET', key .. ':fence') or ''
  local number, known = string.match(last, ' (%d+) ?(%w*)$')
  local counter = math.floor(tonumber(number or 0) / per_counter)
  local next = fence_text(next_counter(counter, life ~= nil and known == life, 0, life), seed)
  redis.call('SET', key .. ':fence', ARGV[1] .. ' ' .. next .. ' ' .. (life or ''), 'EX', 604800)
end
return #KEYS
`

/** redlock's ES module build is CommonJS inside: its default export may be wrapped once more. */
function interop(imported: typeof RedlockPackage): typeof RedlockPackage {
  const inner = (imported as unknown as { default?: typeof RedlockPackage }).default
  return inner ?? imported
}
