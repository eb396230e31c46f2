import { randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { RemodelError } from '../runtime/errors.ts'

/** Put in front of every script that hands out fences; says how a fence is made. */
export const fenceLua = readFileSync(new URL('./lua/fence.lua', import.meta.url), 'utf8')

/** As `lua/fence.lua` has it. */
const fencesPerCounter = 512
/**
 * Counters in an epoch, two minutes of Redis' clock: how exactly the largest one is remembered outside of processes.
 */
const countersPerEpoch = 2 ** 20

export function epochOf(fence: number): number {
  return Math.floor(fence / fencesPerCounter / countersPerEpoch)
}

/**
 * What one connection contributes to the fences that are drawn over it (`lua/fence.lua`): random numbers, the largest
 * counter that its process has seen, and a session that ends when the connection breaks.
 */
export class FenceSource {
  /** Called with every epoch that is larger than all before. */
  onEpoch: (epoch: number) => void = () => {}
  #seen = 0
  #floor = 0
  #session = randomUUID()

  constructor(redis: Redis) {
    redis.on('close', () => {
      this.#session = randomUUID()
    })
  }

  caller(): { seed: number; seen: number; floor: number; session: string } {
    return { seed: randomBytes(2).readUInt16LE(), seen: this.#seen, floor: this.#floor, session: this.#session }
  }

  get epoch(): number {
    return Math.floor(this.#seen / countersPerEpoch)
  }

  /** A fence was drawn over this connection. */
  saw(fence: number): void {
    this.#sawCounter(Math.floor(fence / fencesPerCounter))
  }

  /** Others have drawn fences of that epoch. */
  sawEpoch(epoch: number): void {
    this.#sawCounter(epoch * countersPerEpoch)
  }

  /** Redis has lost writes: no fence is drawn below that epoch any more, though Redis is the same process. */
  rise(epoch: number): void {
    this.#floor = Math.max(this.#floor, epoch * countersPerEpoch)
  }

  #sawCounter(counter: number): void {
    const { epoch } = this
    this.#seen = Math.max(this.#seen, counter)
    if (this.epoch > epoch) this.onEpoch(this.epoch)
  }

  /**
   * Throws where a fence that rests on a session (Redis does not tell its run_id) was drawn before the
   * connection broke: the command may have been carried out by a Redis that has forgotten the fences of that
   * session. No one uses the fence.
   */
  check(session: string | undefined): void {
    if (session === undefined || session === this.#session) return
    throw new RemodelError('infrastructure', 'the connection to Redis broke while a fence was drawn')
  }
}
