import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { PlanHistory } from '../history/plan-history.ts'
import type { Actor } from '../model/actor.ts'
import type { Plan, PlanState } from '../model/plan.ts'
import type { Verdict } from '../model/verdict.ts'
import { type Ground, Names } from '../reservation/names.ts'
import { RemodelError } from '../runtime/errors.ts'
import { failpoint } from '../runtime/failpoint.ts'
import { isReplicated, type RedisSettings } from '../runtime/redis.ts'
import { FenceSource } from './fences.ts'
import type { StoredRemodel } from './graph.ts'
import { Healings } from './healings.ts'
import { abortChannel, releasedChannel } from './keys.ts'
import { lockOf } from './overview.ts'
import { run } from './pipeline.ts'
import { LedgerReader } from './reader.ts'
import type {
  Advance,
  Claim,
  ClaimResult,
  Completion,
  CompletionResult,
  OpenResult,
  OwedFence,
  WantedRun,
} from './records.ts'
import { Retention } from './retention.ts'
import { scriptsOn } from './scripts.ts'
import { inRoundTrips, storedPlan } from './stored-fields.ts'

export type * from './records.ts'

/**
 * How long an opened plan waits for a replica to have it, where one may take over, before it is answered all the same.
 */
const replicaMs = 1000

/** How large the pieces are that scripts work in, and how long they wait. */
export interface LedgerSizes {
  /** About how many remodels one script works off. */
  slice: number
  /** How many names one value of a long list holds. */
  part: number
  /** How long a step waits, or has to wait until the next look, before its plan gives the deployment's lock back. */
  parkAfterMs: number
}

const usualSizes: LedgerSizes = { slice: 30, part: 50, parkAfterMs: 60_000 }

/**
 * The durable record of plans, attempts, completions, fences and events: the truth that queues are rebuilt from.
 * Every transition is one Lua script (`lua/`); this class only speaks to them.
 */
export class Ledger extends LedgerReader {
  /** The largest fences that this process knows; the planner's watch adds those that it saw before. */
  readonly fences: FenceSource
  readonly #scripts: ReturnType<typeof scriptsOn>
  readonly #channel: string
  readonly names: Names
  /** Plans that ended: moved, forgotten, and taken off the lists. */
  readonly retention: Retention
  readonly healings: Healings
  readonly #sizes: LedgerSizes

  constructor(redis: Redis, settings: RedisSettings, more: Partial<LedgerSizes> & { history?: PlanHistory } = {}) {
    super(redis, settings, more.history)
    this.fences = new FenceSource(redis)
    this.#sizes = { ...usualSizes, ...more }
    this.#scripts = scriptsOn(redis, { fences: this.fences, ...this.#sizes })
    this.#channel = releasedChannel(settings)
    this.names = new Names(redis, settings)
    this.healings = new Healings(this, { scripts: this.#scripts, channel: this.#channel })
    this.retention = new Retention(this, { scripts: this.#scripts, channel: this.#channel, names: this.names })
  }

  /**
   * Writes a plan, state last: a plan without a state was never stored. Returns it as it is stored: one that
   * was drawn before and waits to be applied is the same plan; where that one was used up already, this is
   * another with its own id.
   *
   * @param storedAt by Redis' clock, which retention goes by: the clocks of two planners may be days
   * apart. Now, if left out.
   * @param order blob of the order that it was drawn for: when the plan is opened, that is the deployment's next
   * standing order. Empty: no order asks for it.
   */
  async store(drawn: Plan, storedAt?: number, order = ''): Promise<Plan> {
    const at = storedAt ?? (await this.time())
    const base = this.base(drawn.deployment)
    const plan = { ...drawn }
    for (let copy = 2; ; copy++) {
      const state = await this.#scripts.refresh(base, this.#channel, plan.id, at, order)
      if (state === 'stored') {
        await this.retention.list(plan, at)
        return plan
      }
      if (state === '') break
      plan.id = `${drawn.id}-${copy}`
    }
    const { facts, fields } = storedPlan(plan, { at, order }, this.#sizes.part)
    for (const part of inRoundTrips(fields)) {
      if (Number(await this.#scripts.store(base, this.#channel, plan.id, '', '', ...part)) !== 1)
        return this.store(drawn, at, order)
    }
    const last = ['', 2 * Object.keys(facts).length, ...Object.entries(facts).flat()]
    if (Number(await this.#scripts.store(base, this.#channel, plan.id, at, plan.remodels.length, ...last)) !== 1)
      return this.store(drawn, at, order)
    await this.retention.list(plan, at)
    await failpoint('ledger.stored')
    return plan
  }

  /**
   * Opens a stored plan under the deployment's lock; what it releases is announced on the `released` channel. With
   * `waiter` a caller that is refused waits in line: the lock is given in the order of arrival, to those who asked
   * again within three seconds, and the next one gets a message on the `unlocked` channel.
   *
   * The exclusive names that the plan needs are taken first, all or none; `claimed` says who has one of them. They lie
   * in another slot than the deployment, so no script does both. A *round* keeps them together: names are taken for the
   * round that the plan is in, and a plan is opened in the round that its names were taken for. Before they are given
   * up, the plan, which is not open, is moved to the next round. So a planner may die or sleep between any two steps:
   * names of a round that is over, or of a plan that is not opened within a minute, are given back by the others
   * (`services/planner/reservations`).
   */
  async open(
    deployment: string,
    plan: string,
    lock: { id?: string; by: Actor; message: string; lost?: readonly string[] },
    waiter = '',
  ): Promise<OpenResult> {
    const base = this.base(deployment)
    await this.redis.sadd(`${this.settings.prefix}:active`, deployment)
    const id = lock.id ?? randomUUID()
    const by = JSON.stringify(lock.by)
    const lost = lock.lost ? JSON.stringify(lock.lost) : ''
    const open = async (round: string): Promise<OpenResult | { status: 'reserve'; round: string }> => {
      const answer = JSON.parse(
        await this.#scripts.open(base, this.#channel, plan, id, by, lock.message, waiter, round, lost),
      )
      if (answer.status !== 'locked') return answer
      return { status: 'locked', lock: lockOf(answer.lock), looks: answer.looks === true }
    }
    let answer = await open('')
    while (answer.status === 'reserve') {
      const { round } = answer
      const ground = { deployment, why: 'plan', plan, round } as const
      const holders = await this.names.hold(ground, await this.reservations(deployment, plan))
      await failpoint('reservations.taken')
      answer = holders.length > 0 ? { status: 'claimed', holders } : await open(round)
      if (answer.status !== 'ok') await this.giveBack(ground)
    }
    await failpoint('ledger.opened')
    // A sweep that saw it listed but not held yet may have taken it off the list.
    await this.redis.sadd(`${this.settings.prefix}:active`, deployment)
    if (answer.status === 'ok' && (await isReplicated(this.redis, this.settings))) await this.redis.wait(1, replicaMs)
    return answer
  }

  /** Gives back the names that were taken for a plan, unless it was opened meanwhile; answers whether they were. */
  async giveBack(ground: Ground & { why: 'plan' }): Promise<boolean> {
    const { deployment, plan, round } = ground
    if (Number(await this.#scripts.unreserve(this.base(deployment), this.#channel, plan, round)) === 0) return false
    await failpoint('reservations.over')
    await this.names.giveUp(ground)
    return true
  }

  /** Begins remodels of one deployment for `worker`. */
  async claim(deployment: string, worker: string, wanted: readonly WantedRun[]): Promise<ClaimResult[]> {
    const argv = wanted.flatMap(({ plan, remodel, job, over = 'any', joins = false }) => [
      plan,
      remodel,
      job,
      ...(typeof over === 'string' ? [over, 0] : [String(over.fence), over.loss ? 1 : 0]),
      joins ? 1 : 0,
    ])
    const answers = JSON.parse(
      await this.#scripts.claim(this.base(deployment), this.#channel, worker, ...argv),
    ) as ClaimAnswer[]
    return answers.map((answer, i) =>
      answer.status === 'claimed'
        ? { status: 'claimed', claim: this.#claimed(deployment, wanted[i]!.plan, answer) }
        : answer.status === 'held'
          ? { status: 'held', worker: answer.worker, fence: Number(answer.fence) }
          : { status: 'superseded', state: answer.state },
    )
  }

  /** Records how attempts of one deployment ended. `superseded` ones changed nothing. */
  async complete(deployment: string, completions: readonly Completion[]): Promise<CompletionResult[]> {
    const argv = completions.map(({ floorplan, fence, ...rest }) => ({
      ...rest,
      fence: String(fence),
      ...(floorplan && Object.keys(floorplan).length > 0
        ? {
            floorplan: Object.fromEntries(
              Object.entries(floorplan).map(([id, m]) => [id, m === null ? false : JSON.stringify(m)]),
            ),
          }
        : {}),
    }))
    const answers = JSON.parse(
      await this.#scripts.complete(this.base(deployment), this.#channel, JSON.stringify(argv)),
    ) as { status: CompletionResult['status'] | 'malformed'; next?: ClaimAnswer }[]
    return answers.map(({ status, next }, i) => ({
      status: status === 'malformed' ? 'superseded' : status,
      ...(next?.status === 'claimed' ? { next: this.#claimed(deployment, completions[i]!.plan, next) } : {}),
    }))
  }

  #claimed(deployment: string, plan: string, answer: ClaimAnswer & { status: 'claimed' }): Claim {
    this.fences.check(answer.session)
    const { attempt, release, format, deadline, now, kind, owes = false } = answer
    const { needs, ...rest } = JSON.parse(answer.remodel) as StoredRemodel
    const remodel = { ...rest, needs: needs ?? [] }
    const fence = Number(answer.fence)
    this.fences.saw(fence)
    return {
      deployment,
      plan,
      kind,
      remodel,
      attempt,
      format,
      release,
      fence,
      owes,
      startedAt: now,
      remainingMs: deadline - now,
    }
  }

  /** Records that all machines but those in `left` were shown these fences. */
  async paid(deployment: string, fences: readonly (OwedFence & { left: string[] })[]): Promise<void> {
    const items = fences.map(({ fence, ...rest }) => ({ ...rest, fence: String(fence) }))
    await this.#scripts.paid(this.base(deployment), this.#channel, JSON.stringify(items))
  }

  /**
   * Fires deadlines of one plan that passed more than `graceMs` ago, and takes up what `gone` workers left, about a
   * slice of them; returns whose. Where that is not empty there may be more.
   */
  async expire(
    deployment: string,
    plan: string,
    graceMs: number,
    {
      gone = [],
      alive = [],
      now,
    }: { gone?: readonly string[]; alive?: readonly string[]; now?: number | undefined } = {},
  ): Promise<string[]> {
    const workers = JSON.stringify({ gone, alive, ...(now ? { now } : {}) })
    const fired = JSON.parse(await this.#scripts.expire(this.base(deployment), this.#channel, plan, graceMs, workers))
    return Array.isArray(fired) ? fired : []
  }

  /**
   * Works off a slice of what follows from earlier transitions of a plan, and takes what may now be published: of each
   * queue as many as `allowances` says, the ones that are published already included.
   */
  async advance(deployment: string, plan: string, allowances: Readonly<Record<string, number>> = {}): Promise<Advance> {
    const answer = JSON.parse(
      await this.#scripts.advance(this.base(deployment), this.#channel, plan, JSON.stringify(allowances)),
    )
    await failpoint('ledger.advanced')
    return {
      released: Array.isArray(answer.released) ? answer.released : [],
      isMore: answer.left === 1,
      ...(answer.due === undefined ? {} : { dueMs: answer.due }),
    }
  }

  /**
   * Goes on with a plan that is open without the lock (`lua/park.lua`): it is taken up where something of it is due,
   * and ends where another plan has begun something. Returns the state that it is in now.
   */
  async resume(deployment: string, plan: string): Promise<PlanState | 'absent'> {
    const state = await this.#scripts.resume(this.base(deployment), this.#channel, plan)
    return state === '' ? 'absent' : (state as PlanState)
  }

  /**
   * The deployment's time in milliseconds, what it was when its plan was opened, and its shift against Redis' clock.
   */
  async clock(deployment: string): Promise<{ now: number; shift: number; opened: number }> {
    const { now, shift, opened = 0 } = JSON.parse(await this.#scripts.clock(this.base(deployment), this.#channel))
    return { now: Number(now), shift: Number(shift), opened: Number(opened) }
  }

  /** Shifts the deployment's time, unless another process has done so since `from` was read. */
  async shiftClock(deployment: string, from: number, to: number): Promise<boolean> {
    return JSON.parse(await this.#scripts.clock(this.base(deployment), this.#channel, from, to)).set
  }

  /** Stops a plan; `force` ends it, and this returns when all of it is settled. */
  async cancel(deployment: string, plan: string, by: Actor, force = false): Promise<PlanState | 'absent'> {
    for (;;) {
      const { state, left, opened } = JSON.parse(
        await this.#scripts.cancel(
          this.base(deployment),
          this.#channel,
          plan,
          JSON.stringify(by),
          abortChannel(this.settings),
          force ? 1 : 0,
        ),
      ) as { state: PlanState | 'absent'; left: number; opened: boolean }
      await failpoint('ledger.cancelled')
      // Settling lists those that were opened, after a look at their names.
      if (state === 'cancelled' && !opened) await this.retention.listEnded(deployment, plan)
      if (!force || state !== 'cancelling' || left === 0) return state
    }
  }

  /** A person's answer to an approval; under one `id` it is given once, however often it is sent. */
  async decide(
    deployment: string,
    plan: string,
    { id = randomUUID(), remodel, approve, by }: { id?: string; remodel: string; approve: boolean; by: Actor },
  ): Promise<void> {
    const answer = JSON.parse(
      await this.#scripts.decide(
        this.base(deployment),
        this.#channel,
        plan,
        remodel,
        approve ? 1 : 0,
        JSON.stringify(by),
        id,
      ),
    )
    if (answer.status === 'held') {
      const why = `${plan} is parked, and plan ${answer.found} has ${deployment} now`
      throw new RemodelError('locked', `${why}: decide again when that one has ended`)
    }
    if (answer.status !== 'recorded') {
      throw new RemodelError('conflict', `${remodel} waits for no approval: it is ${answer.found}`)
    }
  }

  /**
   * Makes ready what waits for nothing any more and is blocked all the same, where an error in the middle of a script
   * has left it so. Returns how many there were. Only reads where there are none.
   */
  async mend(deployment: string, plan: string): Promise<number> {
    let mended = 0
    for await (const ids of this.remodelIds(deployment, plan)) {
      const stuck = await this.blockedWithoutNeeds(deployment, plan, ids)
      if (stuck.length === 0) continue
      mended += Number(await this.#scripts.mend(this.base(deployment), this.#channel, plan, ...stuck))
    }
    return mended
  }

  /** Keeps what was seen when a plan that is done was compared with the world; the first comparison counts. */
  async recordVerdict(deployment: string, plan: string, verdict: Verdict): Promise<void> {
    await this.#scripts.verdict(this.base(deployment), this.#channel, plan, JSON.stringify(verdict))
  }

  /** Takes a deployment off the active list where no plan of it is open. */
  async retire(deployment: string): Promise<void> {
    await this.redis.srem(`${this.settings.prefix}:active`, deployment)
    // A plan opened in between put itself on the list before it took the lock: look once more.
    if (await this.isOpen(deployment)) await this.redis.sadd(`${this.settings.prefix}:active`, deployment)
  }

  /**
   * Puts deployments back on the active list of which a plan is open and that are not on it: the planner that opened
   * one may have died meanwhile. A plan has taken its names before it is opened, so only deployments that hold some
   * for a plan are looked at.
   */
  async recall(): Promise<void> {
    const all = [...new Set((await this.names.open()).map(({ deployment }) => deployment))]
    if (all.length === 0) return
    const pipeline = this.redis.pipeline()
    for (const deployment of all) pipeline.exists(`${this.base(deployment)}:lock`, `${this.base(deployment)}:parked`)
    const held = await run<number[]>(pipeline)
    const lost = all.filter((_, i) => held[i]! > 0)
    if (lost.length > 0) await this.redis.sadd(`${this.settings.prefix}:active`, ...lost)
  }
}

/** What `claim.lua` and `complete.lua` answer for a remodel that was begun. */
type ClaimAnswer =
  | {
      status: 'claimed'
      attempt: number
      release: number
      fence: string
      deadline: number
      now: number
      kind: string
      format: number
      remodel: string
      session?: string
      owes?: true
    }
  | { status: 'superseded'; state: string }
  | { status: 'held'; worker: string; fence: string }
