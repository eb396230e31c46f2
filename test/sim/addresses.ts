import './hook.ts'
import type { KindRegistry } from '../../kinds/registry.ts'
import { Catalog } from '../../services/planner/catalog/catalog.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { startLoop } from '../../shared/runtime/loop.ts'
import { addressesOf, stemcell, type Town, townOn } from '../reservation/town.ts'
import { person } from '../support/actors.ts'
import { onFailpoint } from './hook.ts'
import { Random } from './random.ts'
import { RedisClient } from './redis/client.ts'
import type { LuaMachine } from './redis/lua.ts'
import { RedisServer } from './redis/server.ts'
import { currentProcess, epoch, Process, Scheduler } from './scheduler.ts'
import { asRedis, settings } from './services.ts'
import { lendTime } from './virtual.ts'

/** A network of thirty addresses: those that are given back are soon given out again. */
const range = '10.0.0.192/27'
const mostOpen = 8
/** A planner that sleeps so long finds that others have taken its names back. */
const sleptMs = 90_000
const roundMs = 600_000

export interface Race {
  seed: number
  rounds: number
  /** A control run: a plan is opened whether its names were to be had or not. */
  unheld?: boolean
}

interface Outcome {
  /** Rounds in which both requests were taken. */
  rounds: number
  /** Addresses that two deployments had at once. */
  twice: string[]
  /** How often a planner died or was paused with a request in its hands. */
  struck: number
  /** How often an address was refused to a plan because another deployment had taken it meanwhile. */
  refused: number
}

/**
 * Two planners take a request each at once, round after round, on a simulated Redis: each round for two deployments
 * that are new, in one network. A planner dies or sleeps at any moment of it; where it died its request is delivered
 * again, as the queue does. Deployments go away by and by, so that their addresses are free for the next ones.
 */
export async function raceForAddresses(race: Race, lua: LuaMachine, kinds: KindRegistry): Promise<Outcome> {
  const run = new Run(race, lua, kinds)
  return run.carryOut()
}

interface Planner {
  process: Process
  client: RedisClient
  town: Town
}

interface Request {
  /** Of the deployment, and of the order. */
  name: string
  instances: number
  /** The one that has it now. */
  planner: Planner
  over: boolean
}

class Run {
  readonly #race: Race
  readonly #kinds: KindRegistry
  readonly #random: Random
  readonly #scheduler = new Scheduler()
  readonly #server: RedisServer
  readonly #network: Random
  readonly #outcome: Outcome = { rounds: 0, twice: [], struck: 0, refused: 0 }
  /** Never struck. */
  readonly #observer: Planner
  /** Deployment -> its plan, which is open. */
  readonly #opened = new Map<string, string>()
  #requests: Request[] = []
  #failed: unknown
  #lives = 0

  constructor(race: Race, lua: LuaMachine, kinds: KindRegistry) {
    this.#race = race
    this.#kinds = kinds
    this.#random = new Random(race.seed)
    this.#network = this.#random.fork('network')
    this.#server = new RedisServer(lua, () => this.#scheduler.now)
    this.#observer = this.#planner()
  }

  async carryOut(): Promise<Outcome> {
    const giveBack = lendTime(this.#scheduler, this.#random.fork('process'))
    onFailpoint((name) => this.#reached(name))
    try {
      await this.#as(this.#observer, () => new Catalog(this.#observer.town.redis, settings).addStemcell(stemcell))
      this.#sweep()
      for (let round = 0; round < this.#race.rounds; round++) {
        await this.#round(round)
        await this.#check()
        while (this.#opened.size > mostOpen || (this.#opened.size > 0 && this.#random.chance(0.3)))
          await this.#goesAway()
      }
    } finally {
      onFailpoint(undefined)
      giveBack()
    }
    return this.#outcome
  }

  /** Both requests are given out at the same moment. */
  async #round(round: number): Promise<void> {
    this.#requests = [0, 1].map((side) => {
      const name = `${side === 0 ? 'left' : 'right'}-${round}`
      return { name, instances: this.#random.int(1, 2), planner: this.#planner(), over: false }
    })
    for (const request of this.#requests) {
      this.#deliver(request)
      const atMs = this.#random.between(0, 80)
      if (this.#random.chance(0.3)) this.#scheduler.after(atMs, null, () => this.#strike(request))
    }
    const ended = await this.#scheduler.runUntil(this.#scheduler.now + roundMs, () => {
      return this.#failed !== undefined || this.#requests.every(({ over }) => over)
    })
    if (this.#failed !== undefined) throw this.#failed
    if (!ended) throw new Error(`seed ${this.#race.seed}: round ${round} does not end`)
    this.#outcome.rounds += 1
  }

  #deliver(request: Request): void {
    const { process, town } = request.planner
    process.run(() => {
      town.takes(request.name, { instances: request.instances }).then(
        ({ plan }) => {
          this.#opened.set(request.name, plan)
          request.over = true
        },
        (error) => {
          // Another deployment was faster each time: the job has failed, and nothing was changed.
          if (error instanceof RemodelError && error.code === 'claimed') request.over = true
          else this.#failed ??= error
        },
      )
    })
  }

  /** Between taking names and opening the plan is the moment that matters: there planners are struck more often. */
  #reached(name: string): Promise<void> | undefined {
    const process = currentProcess()
    const request = this.#requests.find(({ planner }) => planner.process === process)
    if (!request || name !== 'reservations.taken' || !this.#random.chance(0.2)) return undefined
    this.#strike(request)
    return new Promise((resolve) => this.#scheduler.after(0, process!, resolve))
  }

  /** A planner dies, and its request is delivered to another one; or it sleeps, or loses its connection. */
  #strike(request: Request): void {
    const { process } = request.planner
    const kind = this.#random.pick(['crash', 'pause', 'cut'] as const)
    const ms = this.#random.pick([50, 500, sleptMs])
    if (request.over || !process.alive) return
    this.#outcome.struck += 1
    if (kind === 'pause') this.#scheduler.pause(process, ms)
    if (kind === 'cut') request.planner.client.cut(ms)
    if (kind !== 'crash') return
    process.kill()
    this.#scheduler.after(ms, null, () => {
      request.planner = this.#planner()
      this.#deliver(request)
    })
  }

  /** Gives names back as planners do all the time, those that were taken for a plan that was not opened too. */
  #sweep(): void {
    const { process, town } = this.#observer
    const failed = (error: unknown) => {
      this.#failed ??= error
    }
    process.run(() => startLoop({ everyMs: 2000, turn: () => town.settling.settleEnded(), failed }))
  }

  /** No address is one of two deployments whose plans are open. */
  async #check(): Promise<void> {
    const holders = new Map<string, string>()
    for (const [deployment, id] of this.#opened) {
      const plan = await this.#as(this.#observer, () => this.#observer.town.ledger.plan(deployment, id))
      for (const address of addressesOf(plan)) {
        const other = holders.get(address)
        if (other !== undefined) this.#outcome.twice.push(`${address}: ${other} and ${deployment}`)
        holders.set(address, deployment)
      }
    }
  }

  /** A deployment of which nothing was begun yet is cancelled: its names are given back. */
  async #goesAway(): Promise<void> {
    const [deployment, plan] = this.#random.pick([...this.#opened])
    await this.#as(this.#observer, () => this.#observer.town.ledger.cancel(deployment, plan, person('test')))
    this.#opened.delete(deployment)
  }

  #planner(): Planner {
    const process = new Process(`planner-${this.#lives++}`)
    const network = { latency: () => this.#network.between(0.1, 2), loses: () => false }
    const client = new RedisClient({ scheduler: this.#scheduler, server: this.#server, network, process })
    const town = townOn({ redis: asRedis(client), settings, kinds: this.#kinds }, range)
    const { names } = town.ledger
    const hold = names.hold.bind(names)
    names.hold = async (ground, wanted) => {
      const holders = await hold(ground, wanted)
      if (holders.length > 0) this.#outcome.refused += 1
      return this.#race.unheld ? [] : holders
    }
    return { process, client, town }
  }

  /** What a process that is never struck asks for. */
  async #as<T>({ process }: Planner, work: () => Promise<T>): Promise<T> {
    const found: { value?: T; error?: unknown; over: boolean } = { over: false }
    process.run(() => {
      work().then(
        (value) => Object.assign(found, { value, over: true }),
        (error) => Object.assign(found, { error, over: true }),
      )
    })
    const ended = await this.#scheduler.runUntil(this.#scheduler.now + roundMs, () => found.over)
    if (found.error !== undefined) throw found.error
    if (!ended) throw new Error(`seed ${this.#race.seed}: no answer at ${(this.#scheduler.now - epoch) / 1000} s`)
    return found.value as T
  }
}
