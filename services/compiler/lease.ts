import type { Redis } from 'ioredis'
import type { RedisSettings } from '../../shared/runtime/redis.ts'
import { signOfLife } from '../../shared/runtime/sign-of-life.ts'

const defaultLifeMs = 5000

/**
 * The lease that makes the compile VMs of a process its own.
 *
 * A lease is a key that runs out by itself. It begins under an id that was never used before, and it is renewed only
 * while it is there (`PEXPIRE` makes no key), so the end of one is final: a process that was frozen for too long finds
 * its lease gone, lets go of every VM it had, and begins another. Each VM carries the id of the lease it was made
 * under, and lists come before looks (`sweep.ts`): who finds that a VM's lease is over may delete it, however late, and
 * cannot meet a claim on it.
 */
export class VmLease {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #worker: string
  readonly #lifeMs: number
  readonly #beatMs: number
  readonly #lost: (() => void)[] = []
  #id: string | undefined
  #number = 0
  /** Of `performance.now()`: until then no other process can have found it over. */
  #until = 0
  #renewing: Promise<string> | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param lifeMs how long VMs outlive a process that vanished. @param beatMs how often it is renewed by itself. */
  constructor(
    redis: Redis,
    settings: RedisSettings,
    worker: string,
    { lifeMs = defaultLifeMs, beatMs = lifeMs / 5 }: { lifeMs?: number | undefined; beatMs?: number | undefined } = {},
  ) {
    this.#redis = redis
    this.#prefix = `${settings.prefix}:compile-vms:`
    this.#worker = worker
    this.#lifeMs = lifeMs
    this.#beatMs = beatMs
  }

  /** The lease that is held now, if any. */
  get current(): string | undefined {
    return this.#id
  }

  /** Called when the lease was lost: what was made under it is not ours any more. */
  onLost(call: () => void): void {
    this.#lost.push(call)
  }

  /**
   * The id of a lease that is held for half its life at least; a lease that was held before and ran out is
   * reported as lost first.
   */
  async hold(): Promise<string> {
    if (this.#id !== undefined && performance.now() < this.#until - this.#lifeMs / 2) return this.#id
    return this.#renew()
  }

  /** True where a lease is over, for good. */
  async over(id: string): Promise<boolean> {
    return (await signOfLife(this.#redis, this.#prefix + id, Math.max(this.#lifeMs, defaultLifeMs))) === null
  }

  /** Gives the lease back: nothing that was made under it may stand any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    if (this.#id !== undefined) await this.#redis.del(this.#prefix + this.#id)
  }

  #renew(): Promise<string> {
    this.#renewing ??= this.#renewOrBegin().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  async #renewOrBegin(): Promise<string> {
    for (;;) {
      // The key outlives this time: Redis counts from when it hears of it.
      const asked = performance.now()
      if (this.#id === undefined) {
        const id = `${this.#worker}.${++this.#number}`
        await this.#redis.set(this.#prefix + id, this.#worker, 'PX', this.#lifeMs)
        this.#id = id
        this.#timer ??= setInterval(() => void this.#renew().catch(() => {}), this.#beatMs)
      } else if ((await this.#redis.pexpire(this.#prefix + this.#id, this.#lifeMs)) === 0) {
        this.#id = undefined
        for (const call of this.#lost) call()
        continue
      }
      this.#until = asked + this.#lifeMs
      if (performance.now() < this.#until) return this.#id
    }
  }
}
