import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import { alarmsChannel } from '../../shared/ledger/keys.ts'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Alarm } from '../../shared/model/healing.ts'
import type { Provider, Vm } from '../../shared/provider/provider.ts'
import type { Division } from '../../shared/runtime/division.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { type Loop, startLoop } from '../../shared/runtime/loop.ts'

/** How often it is looked which machines there are. */
const lookMs = 1000

interface LookoutParts {
  ledger: Ledger
  provider: Provider
  redis: Redis
  /** Of the assembler among all that watch. */
  division: Division
  log: Logger
}

interface Watch {
  deployment: string
  stopping: AbortController
  /** It is over: the next look begins another one, where the machine is still there. */
  ended: boolean
}

/**
 * Keeps a connection open to each machine of the deployments that are mended and fall to this assembler, and tells the
 * planners when one ends or says nothing: at once, and again while that lasts. It decides nothing and remembers
 * nothing: an alarm that is lost comes again, and one that is wrong is found out by the planner's own look.
 */
export class Lookout {
  readonly #parts: LookoutParts
  readonly #watches = new Map<string, Watch>()
  #loop: Loop | undefined

  constructor(parts: LookoutParts) {
    this.#parts = parts
  }

  start(): void {
    // Redis may be away, or the provider: the next look finds it back.
    this.#loop = startLoop({ everyMs: lookMs, turn: () => this.#look(), failed: () => {} })
  }

  async stop(): Promise<void> {
    await this.#loop?.stop()
    for (const { stopping } of this.#watches.values()) stopping.abort()
  }

  async #look(): Promise<void> {
    const { ledger, provider, division } = this.#parts
    const deployments = (await ledger.healings.deployments()).filter((name) => division.falls(name))
    const there = new Set<string>()
    for (const deployment of deployments) {
      const found = await provider.listVms({ owner: `deployment/${deployment}` }).catch(() => null)
      // One that cannot be listed now has its machines watched on.
      for (const id of found?.map((vm) => vm.id) ?? this.#watchedOf(deployment)) there.add(id)
      for (const vm of found ?? []) await this.#lookAt(deployment, vm)
    }
    for (const [machine, { stopping }] of this.#watches) {
      if (there.has(machine)) continue
      stopping.abort()
      this.#watches.delete(machine)
    }
  }

  #watchedOf(deployment: string): string[] {
    return [...this.#watches].flatMap(([machine, watch]) => (watch.deployment === deployment ? [machine] : []))
  }

  async #lookAt(deployment: string, { id: machine, state }: Vm): Promise<void> {
    if (state === 'dead') await this.#raise({ deployment, machine, is: 'gone' })
    const watch = this.#watches.get(machine)
    if (state !== 'running' || (watch && !watch.ended)) return
    const begun = { deployment, stopping: new AbortController(), ended: false }
    this.#watches.set(machine, begun)
    void this.#watch(deployment, machine, begun)
  }

  async #watch(deployment: string, machine: string, watch: Watch): Promise<void> {
    const { provider, log } = this.#parts
    const { signal } = watch.stopping
    try {
      const connection = await provider.connect(machine, null)
      try {
        await connection.watch(signal)
      } finally {
        connection.close()
      }
    } catch (error) {
      log.debug({ machine, err: error }, 'a machine is watched no longer')
      const is = error instanceof RemodelError && 'lost' in error.details ? 'gone' : 'silent'
      await this.#raise({ deployment, machine, is }).catch(() => {})
    }
    watch.ended = true
  }

  async #raise(alarm: Alarm): Promise<void> {
    await this.#parts.redis.publish(alarmsChannel(this.#parts.ledger.settings), JSON.stringify(alarm))
  }
}
