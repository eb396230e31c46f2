import './hook.ts'
import type { SeenMemory } from '../../shared/ledger/epoch.ts'
import type { LedgerSizes } from '../../shared/ledger/ledger.ts'
import { leaks, stateOf, unfairEnds, waiting } from './aftermath.ts'
import { type Journal, orderDeploys } from './client.ts'
import { describeFault, drawFaults, type Fault, faultsMs } from './faults.ts'
import { onFailpoint } from './hook.ts'
import { Oracle } from './oracle.ts'
import type { DrawnPlan } from './plans.ts'
import { QueueModel } from './queue/model.ts'
import { Random } from './random.ts'
import { RedisClient } from './redis/client.ts'
import { LuaMachine } from './redis/lua.ts'
import { RedisServer } from './redis/server.ts'
import { currentProcess, epoch, Process, Scheduler } from './scheduler.ts'
import { type Ground, type Running, services, settings } from './services.ts'
import { lendTime } from './virtual.ts'
import { World } from './world.ts'

/** Everything a run is made of: the same specification gives the same run, step by step. */
export interface Specification {
  seed: number
  /** Left out: drawn from the seed. */
  faults?: Fault[]
  /** A control run: Redis has one run_id for ever, so nothing tells that it is another process with older data. */
  blind?: boolean
}

export interface Outcome {
  seed: number
  faults: Fault[]
  violation: { rule: string; message: string } | null
  /** Things that happened, in simulated time; only with `trace`. */
  log: string[]
  steps: number
  /** Simulated seconds. */
  seconds: number
  /** How often each failpoint was reached, and at which of them a process was killed. */
  reached: Map<string, number>
  killed: Set<string>
  plans: { id: string; state: string }[]
}

/** A run must have ended this long after the last fault: deadlines are seconds, attempts few. */
const healMs = 300_000
/**
 * What may still be on its way when the last plan has ended: locks of jobs that no worker knows of last half a minute.
 */
const settleMs = 45_000

let lua: LuaMachine | undefined

/** Carries out one run; never throws for what production code does. */
export async function simulate(specification: Specification, trace = false): Promise<Outcome> {
  lua ??= await LuaMachine.create()
  const run = new Run(specification, lua, trace)
  return run.carryOut()
}

interface Member {
  name: string
  service: keyof typeof services | 'client'
  journal?: Journal
  twin?: boolean
}

class Run {
  readonly #random: Random
  readonly #scheduler = new Scheduler()
  readonly #server: RedisServer
  readonly #world: World
  readonly #oracle: Oracle
  readonly #queues: Ground['queues']
  readonly #faults: Fault[]
  readonly #seed: number
  readonly #trace: boolean
  readonly #log: string[] = []
  readonly #journals: Journal[]
  readonly #members: Member[] = []
  /** The living process of each name. */
  readonly #processes = new Map<string, Process>()
  readonly #running = new Map<string, Running>()
  readonly #clients = new Set<RedisClient>()
  readonly #reached = new Map<string, number>()
  readonly #killed = new Set<string>()
  readonly #network: Random
  /** What was there before each write; only where the run may lose some. */
  readonly #history: { at: number; length: number; queues: ReturnType<QueueModel['snapshot']>[] }[] = []
  #noted = 0
  readonly #compileMs = new Map<string, number>()
  readonly #concurrency: number
  readonly #sizes: LedgerSizes
  /** The file of the planners; survives all of them. */
  readonly #memory: SeenMemory = { read: async () => this.#seen, write: async (text) => this.#write(text) }
  #seen = ''
  #latencyMs = 0
  #slowUntil = 0
  #deafUntil = 0
  #healed = false
  #lives = 0

  constructor({ seed, faults, blind = false }: Specification, lua: LuaMachine, trace: boolean) {
    this.#seed = seed
    this.#trace = trace
    this.#random = new Random(seed)
    this.#network = this.#random.fork('network')
    const shape = this.#random.fork('shape')
    this.#server = new RedisServer(lua, () => this.#scheduler.now)
    this.#server.blind = blind
    this.#world = new World(this.#scheduler, this.#random.fork('world'))
    this.#oracle = new Oracle(this.#server.model, this.#world, settings.prefix)
    this.#server.executed = () => {
      this.#oracle.check()
      if (this.#server.model.journal) this.#note()
    }
    const queue = () =>
      new QueueModel(
        () => this.#scheduler.now,
        (ms, wake) => this.#scheduler.after(ms, null, wake),
      )
    this.#queues = { assemble: queue(), compile: queue() }
    if (shape.chance(0.5)) {
      const order = this.#random.fork('order')
      this.#server.model.order = (items) => order.shuffle(items)
    }
    if (shape.chance(0.3)) {
      const choice = this.#random.fork('choice')
      for (const one of Object.values(this.#queues))
        one.choose = (ready) => (ready.length === 0 ? undefined : choice.pick(ready))
    }
    this.#concurrency = shape.pick([1, 2, 4])
    const sizes = this.#random.fork('sizes')
    this.#sizes = {
      slice: sizes.pick([1, 2, 5, 300]),
      part: sizes.pick([1, 2, 50]),
      parkAfterMs: sizes.pick([0, 300, 2000, 60_000]),
    }
    this.#journals = Array.from({ length: shape.int(1, 2) }, (_, i) => ({
      deployment: `d${i}`,
      plans: shape.pick([1, 1, 2]),
      drawn: [],
      ended: 0,
    }))
    for (const service of ['planner', 'assembler', 'compiler'] as const) {
      for (let i = 0; i < shape.int(1, 2); i++) this.#members.push({ name: `${service}-${i}`, service })
    }
    for (const journal of this.#journals) {
      this.#members.push({ name: `client-${journal.deployment}`, service: 'client', journal })
      if (shape.chance(0.15))
        this.#members.push({ name: `twin-${journal.deployment}`, service: 'client', journal, twin: true })
    }
    const names = this.#members.map(({ name }) => name)
    this.#faults = faults ?? drawFaults(this.#random.fork('faults'), names)
    if (this.#faults.some(({ kind }) => kind === 'rollback' || kind === 'loss')) this.#server.model.journal = []
  }

  async carryOut(): Promise<Outcome> {
    const giveBack = lendTime(this.#scheduler, this.#random.fork('process'))
    const unhandled = (error: unknown) => this.#oracle.report('unhandled', `a process would have ended: ${error}`)
    process.on('unhandledRejection', unhandled)
    onFailpoint((name) => this.#failpoint(name))
    try {
      for (const member of this.#members) this.#start(member)
      for (const fault of this.#faults) {
        if ('atMs' in fault.when) this.#scheduler.after(fault.when.atMs, null, () => this.#strike(fault, null))
      }
      await this.#phases()
    } finally {
      onFailpoint(undefined)
      giveBack()
      // An unhandled rejection is reported in a later turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve))
      process.off('unhandledRejection', unhandled)
    }
    const violation = this.#oracle.first
    return {
      seed: this.#seed,
      faults: this.#faults,
      violation: violation && { rule: violation.rule, message: violation.message },
      log: this.#log,
      steps: this.#scheduler.steps,
      seconds: (this.#scheduler.now - epoch) / 1000,
      reached: this.#reached,
      killed: this.#killed,
      plans: this.#oracle
        .plans()
        .map(({ id, deployment }) => ({ id, state: stateOf(this.#server.model, deployment, id) ?? 'absent' })),
    }
  }

  async #phases(): Promise<void> {
    const ended = () => this.#journals.every((journal) => journal.ended === journal.plans)
    const broken = () => this.#oracle.first !== null
    await this.#scheduler.runUntil(epoch + faultsMs, () => broken() || ended())
    if (broken()) return
    this.#heal()
    await this.#scheduler.runUntil(this.#scheduler.now + healMs, () => broken() || ended())
    if (broken()) return
    if (!ended())
      return this.#oracle.report(
        'finishes',
        `not over ${healMs / 1000} s after the last fault: ${waiting(this.#server.model, this.#oracle.plans())}`,
      )
    for (const [rule, what] of unfairEnds(this.#server.model, this.#journals, this.#faults.length === 0)) {
      this.#oracle.report(rule, what)
    }
    // What is on its way may arrive, also behind a connection that is still cut; what dead processes held may run out.
    const arrivals = [...this.#clients].map(({ arrivedAt }) => arrivedAt)
    await this.#scheduler.runUntil(Math.max(this.#scheduler.now, ...arrivals), broken)
    if (broken()) return
    for (let waited = 0; waited < settleMs; waited += 500) {
      await this.#scheduler.runUntil(this.#scheduler.now + 500, broken)
      if (broken() || this.#leaks().length === 0) break
    }
    await this.#stop()
    const leaks = this.#leaks()
    if (leaks.length > 0) this.#oracle.report('leaks', `left over: ${leaks.join(', ')}`)
  }

  /** Everything that was wrong ends: what is down comes back, what is paused goes on. */
  #heal(): void {
    this.#say('world', 'everything heals')
    this.#healed = true
    this.#slowUntil = this.#deafUntil = this.#server.awayUntil = this.#server.fullUntil = 0
    for (const process of this.#processes.values()) this.#scheduler.resume(process)
    for (const member of this.#members) if (!this.#processes.get(member.name)?.alive) this.#start(member)
  }

  #start(member: Member): void {
    const process = new Process(`${member.name}.${++this.#lives}`)
    this.#processes.set(member.name, process)
    this.#say(member.name, 'starts')
    const ground: Ground = {
      process,
      connect: () => this.#connect(process),
      queues: this.#queues,
      world: this.#world,
      concurrency: this.#concurrency,
      sizes: this.#sizes,
      compileMs: (key) => this.#compileTime(key),
      memory: this.#memory,
      say: (what) => this.#say(member.name, what),
    }
    this.#scheduler.after(0, process, () => {
      if (member.service === 'client') {
        const { journal, twin } = member
        // Only the plans of this order change a floorplan, unless Redis comes back older.
        const moved = ({ id }: { id: string }) => this.#oracle.report('orders', `the floorplan moved under ${id}`)
        const drawn = ({ plan, intentions }: DrawnPlan) => {
          this.#oracle.know(plan, intentions.cancelAfterMs !== null && intentions.force)
          this.#say(member.name, `draws plan ${plan.id} of ${plan.remodels.length}`)
        }
        orderDeploys({ journal: journal!, twin: twin === true }, ground.connect(), this.#random.fork('plans'), {
          drawn,
          moved,
        }).catch((error) => this.#oracle.report('orders', `the order of ${journal!.deployment} cannot go on: ${error}`))
        return
      }
      services[member.service](ground)
        .then((running) => this.#running.set(member.name, running))
        .catch((error) => this.#restart(member, process, `could not start: ${error}`))
    })
  }

  /** A service that cannot start ends with its cause; its supervisor starts it again. */
  #restart(member: Member, process: Process, why: string): void {
    this.#say(member.name, why)
    process.kill()
    this.#scheduler.after(500, null, () => {
      if (!this.#processes.get(member.name)?.alive) this.#start(member)
    })
  }

  #connect(process: Process): RedisClient {
    const network = {
      latency: () =>
        this.#network.between(0.1, 1.5) +
        (this.#scheduler.now < this.#slowUntil ? this.#network.between(0, this.#latencyMs) : 0),
      loses: () => this.#scheduler.now < this.#deafUntil,
    }
    const client = new RedisClient({ scheduler: this.#scheduler, server: this.#server, network, process })
    this.#clients.add(client)
    process.onDeath.push(() => this.#clients.delete(client))
    return client
  }

  #compileTime(key: string): number {
    const known = this.#compileMs.get(key)
    if (known !== undefined) return known
    const random = this.#random.fork(`compile ${key}`)
    const ms = random.pick([random.between(5, 50), random.between(100, 1000), random.between(1000, 4000)])
    this.#compileMs.set(key, ms)
    return ms
  }

  #failpoint(name: string): Promise<void> | undefined {
    const process = currentProcess()
    if (!process) return undefined
    const count = (this.#reached.get(name) ?? 0) + 1
    this.#reached.set(name, count)
    if (this.#healed) return undefined
    let struck = false
    for (const fault of this.#faults) {
      if (!('failpoint' in fault.when) || fault.when.failpoint !== name || fault.when.nth !== count) continue
      this.#strike(fault, process)
      struck = true
      if (fault.kind === 'crash') this.#killed.add(name)
    }
    // Comes back when the process may go on: never, where it is dead.
    return struck ? new Promise((resolve) => this.#scheduler.after(0, process, resolve)) : undefined
  }

  #strike(fault: Fault, at: Process | null): void {
    if (this.#healed) return
    this.#say('fault', describeFault(fault))
    const { now } = this.#scheduler
    switch (fault.kind) {
      case 'crash': {
        const name = at ? this.#nameOf(at) : fault.process!
        const process = this.#processes.get(name)
        const member = this.#members.find((one) => one.name === name)!
        if (!process?.alive) return
        process.kill()
        this.#running.delete(name)
        this.#scheduler.after(fault.downMs, null, () => {
          if (!this.#processes.get(name)?.alive) this.#start(member)
        })
        return
      }
      case 'pause': {
        const process = at ?? this.#processes.get(fault.process!)
        if (process?.alive) this.#scheduler.pause(process, fault.ms)
        return
      }
      case 'cut':
        for (const client of this.#clients) if (this.#nameOf(client.process) === fault.process) client.cut(fault.ms)
        return
      case 'slow':
        this.#latencyMs = fault.latencyMs
        this.#slowUntil = now + fault.ms
        return
      case 'away':
        this.#server.awayUntil = now + fault.ms
        this.#server.restart()
        for (const client of this.#clients) client.cut(fault.ms)
        return
      case 'clock':
        this.#server.stepMs += fault.stepMs
        this.#oracle.clockWentBack ||= fault.stepMs < 0
        return
      case 'full':
        this.#server.fullUntil = now + fault.ms
        return
      case 'deaf':
        this.#deafUntil = now + fault.ms
        return
      case 'flush':
        for (const queue of Object.values(this.#queues)) queue.obliterate()
        return
      case 'duplicate':
        for (const queue of Object.values(this.#queues)) {
          for (const job of [...queue.jobs.values()]) queue.add(job.name, job.data, { jobId: `${job.id}-again-${now}` })
        }
        return
      case 'lost-locks':
        for (const queue of Object.values(this.#queues)) queue.loseLocks()
        for (const key of this.#server.model.keys()) if (key.endsWith(':claim')) this.#server.model.delete(key)
        return
      case 'rollback':
        this.#goBack(
          this.#history.findIndex(({ at }) => at > now - fault.backMs),
          fault.returnMs ?? 50,
        )
        return
      case 'loss':
        this.#goBack(Math.max(0, this.#history.length - fault.writes), fault.returnMs)
    }
  }

  /** Remembers how everything was before the write that was just made. */
  #note(): void {
    const length = this.#server.model.journal!.length
    if (length === this.#noted) return
    const queues = Object.values(this.#queues).map((queue) => queue.snapshot())
    this.#history.push({ at: this.#scheduler.now, length: this.#noted, queues })
    this.#noted = length
  }

  /** Redis is another process, and has what it had before that write; all clients come back after `returnMs`. */
  #goBack(write: number, returnMs: number): void {
    const past = this.#history[write]
    this.#server.restart()
    for (const client of this.#clients) client.cut(returnMs)
    if (!past) return
    this.#oracle.trusting = false
    this.#server.model.undo(past.length)
    for (const [i, queue] of Object.values(this.#queues).entries()) queue.restore(past.queues[i]!)
    this.#history.length = write
    this.#noted = past.length
  }

  #write(text: string): void {
    this.#seen = text
  }

  #nameOf(process: Process): string {
    return process.name.slice(0, process.name.lastIndexOf('.'))
  }

  async #stop(): Promise<void> {
    const services = this.#members.filter(({ service }) => service !== 'client')
    const started = () => services.every(({ name }) => this.#running.has(name))
    if (!(await this.#scheduler.runUntil(this.#scheduler.now + 60_000, started)))
      this.#oracle.report('stops', 'a service does not start')
    let left = this.#running.size
    for (const [name, running] of this.#running) {
      const process = this.#processes.get(name)!
      this.#scheduler.after(0, process, () => {
        running
          .stop()
          .catch((error) => this.#oracle.report('stops', `${name} could not leave in order: ${error}`))
          .finally(() => {
            left -= 1
          })
      })
    }
    const stopped = await this.#scheduler.runUntil(this.#scheduler.now + 60_000, () => left === 0)
    if (!stopped) this.#oracle.report('stops', `${left} services do not leave`)
    for (const process of this.#processes.values()) process.kill()
  }

  #leaks(): string[] {
    const living = [...this.#processes.values()].filter(({ alive }) => alive).map(({ name }) => name)
    return leaks(this.#server, this.#world, Object.values(this.#queues), new Set(living))
  }

  #say(who: string, what: string): void {
    if (this.#trace) this.#log.push(`${((this.#scheduler.now - epoch) / 1000).toFixed(4)} ${who}: ${what}`)
  }
}
