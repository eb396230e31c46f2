import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { RemodelError } from '../errors.ts'
import { failpoint } from '../failpoint.ts'
import { Floorplan, type Json, type StandingMaterial } from '../model/material.ts'
import type { Plan, PlanState, Remodel, RemodelState } from '../model/plan.ts'
import { type RedisSettings, redisAddress } from '../redis.ts'
import { graphOf } from './graph.ts'
import { abortChannel, baseKey, epochKey, releasedChannel } from './keys.ts'
import { scriptsOn } from './scripts.ts'

/** What a worker holds while it carries out one remodel. */
export interface Claim {
  deployment: string
  plan: string
  kind: string
  remodel: Remodel
  attempt: number
  /** Only grows for one material; whatever is changed is shown it. */
  fence: number
  /** Milliseconds the attempt may still take, by Redis' clock. */
  remainingMs: number
}

/** What became of a report; `next` is what the worker took along. */
export interface CompletionResult {
  status: 'recorded' | 'superseded'
  next?: Claim
}

export type ClaimResult = { status: 'claimed'; claim: Claim } | { status: 'superseded'; state: string }

/** How an attempt ended, or what it is doing (`progress`). */
export interface Completion {
  plan: string
  remodel: string
  fence: number
  outcome: 'done' | 'failed' | 'retry' | 'progress'
  floorplan?: Record<string, Omit<StandingMaterial, 'id'> | null>
  code?: string
  message?: string
  log?: string
  facts?: Record<string, Json>
  durationMs?: number
  /** The job that carries it: `jobName(remodel, release)`. */
  job?: string
  /** Take another ready remodel of this plan and this queue along. Needs `job`. */
  take?: string
}

export interface LedgerEvent {
  seq: number
  at: number
  type: string
  plan: string
  remodel?: string
  worker?: string
  attempt?: number
  fence?: number
  message?: string
  code?: string
  log?: string
  durationMs?: number
  facts?: Record<string, Json>
}

export interface PlanRecord {
  id: string
  deployment: string
  kind: string
  state: PlanState
  createdAt: number
  startedAt: number | null
  finishedAt: number | null
  counts: { total: number; done: number; failed: number; skipped: number; running: number }
  errors: { remodel: string; code: string; message: string; log?: string }[]
}

export interface RemodelRecord {
  id: string
  state: RemodelState
  attempt: number
  fence: number
  worker: string | null
  startedAt: number | null
  finishedAt: number | null
}

export interface LockRecord {
  id: string
  plan: string
  holder: string
  since: number
  message: string
}

export type OpenResult =
  | { status: 'ok' }
  | { status: 'state'; found: string }
  | { status: 'moved'; found: number }
  | { status: 'locked'; lock: LockRecord }

/** What became ready and must be put on its queue. */
export interface Released {
  plan: string
  remodel: string
  queue: string
  release: number
  weight: number
  /** Milliseconds to wait before another attempt. */
  delay: number
}

/** How many remodels one round trip stores or reads. */
const chunk = 500

/**
 * The durable record of plans, attempts, completions, fences and events: the truth that queues are rebuilt from.
 * Every transition is one Lua script (`lua/`); this class only speaks to them.
 */
export class Ledger {
  readonly redis: Redis
  readonly settings: RedisSettings
  readonly #scripts: ReturnType<typeof scriptsOn>
  readonly #channel: string

  constructor(redis: Redis, settings: RedisSettings) {
    this.redis = redis
    this.settings = settings
    this.#scripts = scriptsOn(redis)
    this.#channel = releasedChannel(settings)
  }

  base(deployment: string): string {
    return baseKey(this.settings.prefix, deployment)
  }

  /**
   * Writes a plan, state last: a plan without a state was never stored. Returns it as it is stored: one that was drawn
   * before and waits to be applied is the same plan; where that one was used up already, this is another with its own id.
   */
  async store(drawn: Plan, at: number): Promise<Plan> {
    const base = this.base(drawn.deployment)
    const plan = { ...drawn }
    for (let copy = 2; ; copy++) {
      const state = await this.redis.hget(`${base}:plan:${plan.id}`, 'state')
      if (state === 'stored') {
        await this.#list(plan)
        return plan
      }
      if (state === null) break
      plan.id = `${drawn.id}-${copy}`
    }
    const { remodels, ...header } = plan
    const graph = graphOf(plan)
    const put = async (hashes: (string | number)[][], ...listed: number[]) => {
      const texts = JSON.stringify(hashes.map((hash) => hash.map(String)))
      return Number(await this.#scripts.store(base, this.#channel, plan.id, texts, ...listed)) === 1
    }
    for (let i = 0; i < remodels.length; i += chunk) {
      const part = remodels.slice(i, i + chunk)
      const written = await put([
        ['remodels', ...part.flatMap((remodel) => [remodel.id, JSON.stringify(remodel)])],
        ['graph', ...part.flatMap((remodel) => [remodel.id, graph.nodes.get(remodel.id)!])],
        ['unmet', ...part.flatMap((remodel) => [remodel.id, remodel.needs.length])],
        ['state', ...part.flatMap((remodel) => [remodel.id, 'blocked'])],
      ])
      if (!written) return this.store(drawn, at)
    }
    const last: (string | number)[][] = []
    if (graph.places.length > 0) last.push(['places', ...graph.places.flat()])
    if (plan.windows.length > 0) last.push(['windows', ...plan.windows.flatMap((w) => [`limit:${w.name}`, w.limit])])
    const facts = {
      header: JSON.stringify(header),
      roots: JSON.stringify(graph.roots),
      floorplan: plan.floorplan.version,
      kind: plan.kind,
      total: remodels.length,
      open: remodels.length,
      done: 0,
      failed: 0,
      skipped: 0,
      createdAt: at,
      state: 'stored',
    }
    if (!(await put([...last, ['', ...Object.entries(facts).flat()]], at))) return this.store(drawn, at)
    await this.#list(plan)
    await failpoint('ledger.stored')
    return plan
  }

  /** Global lists live outside the deployment's slot: written after the plan, and again when it is stored again. */
  async #list(plan: Plan): Promise<void> {
    await this.redis.sadd(`${this.settings.prefix}:deployments`, plan.deployment)
    await this.redis.hset(`${this.settings.prefix}:plans`, plan.id, plan.deployment)
  }

  /**
   * Opens a stored plan under the deployment's lock; what it releases is announced on the `released` channel. With `waiter`
   * a caller that is refused stands in line: the lock is given in the order of arrival, to those who asked again within
   * three seconds, and the next one is told on the `unlocked` channel.
   */
  async open(
    deployment: string,
    plan: string,
    lock: { id?: string; holder: string; message: string },
    waiter = '',
  ): Promise<OpenResult> {
    const base = this.base(deployment)
    await this.redis.sadd(`${this.settings.prefix}:active`, deployment)
    const epoch = Number((await this.redis.hget(epochKey(this.settings), 'epoch')) ?? 0)
    const answer = await this.#scripts.open(
      base,
      this.#channel,
      plan,
      lock.id ?? randomUUID(),
      lock.holder,
      lock.message,
      epoch,
      waiter,
    )
    await failpoint('ledger.opened')
    // Whoever saw it listed but not held yet may have taken it off the list.
    await this.redis.sadd(`${this.settings.prefix}:active`, deployment)
    return JSON.parse(answer)
  }

  /** Begins remodels of one deployment for `worker`. */
  async claim(
    deployment: string,
    worker: string,
    wanted: readonly { plan: string; remodel: string; job: string }[],
  ): Promise<ClaimResult[]> {
    const argv = wanted.flatMap((item) => [item.plan, item.remodel, item.job])
    const answers = JSON.parse(
      await this.#scripts.claim(this.base(deployment), this.#channel, worker, ...argv),
    ) as ClaimAnswer[]
    return answers.map((answer, i) =>
      answer.status === 'claimed'
        ? { status: 'claimed', claim: claimOf(deployment, wanted[i]!.plan, answer) }
        : { status: 'superseded', state: answer.state },
    )
  }

  /** Records how attempts of one deployment ended. `superseded` ones changed nothing. */
  async complete(deployment: string, completions: readonly Completion[]): Promise<CompletionResult[]> {
    const argv = completions.map(({ floorplan, ...rest }) => ({
      ...rest,
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
    ) as { status: CompletionResult['status']; next?: ClaimAnswer }[]
    return answers.map(({ status, next }, i) => ({
      status,
      ...(next?.status === 'claimed' ? { next: claimOf(deployment, completions[i]!.plan, next) } : {}),
    }))
  }

  /** Fires deadlines of one plan that passed more than `graceMs` ago, and takes up what `gone` workers left; returns whose. */
  async expire(deployment: string, plan: string, graceMs: number, gone: readonly string[] = []): Promise<string[]> {
    const fired = JSON.parse(await this.#scripts.expire(this.base(deployment), this.#channel, plan, graceMs, ...gone))
    return Array.isArray(fired) ? fired : []
  }

  async cancel(deployment: string, plan: string, who: string, force = false): Promise<PlanState | 'absent'> {
    const answer = await this.#scripts.cancel(
      this.base(deployment),
      this.#channel,
      plan,
      who,
      abortChannel(this.settings),
      force ? 1 : 0,
    )
    return JSON.parse(answer).state
  }

  async decide(deployment: string, plan: string, remodel: string, approve: boolean, who: string): Promise<void> {
    const answer = JSON.parse(
      await this.#scripts.decide(this.base(deployment), this.#channel, plan, remodel, approve ? 1 : 0, who),
    )
    if (answer.status !== 'recorded') {
      throw new RemodelError('conflict', `${remodel} waits for no approval: it is ${answer.found}`)
    }
  }

  async floorplan(deployment: string): Promise<Floorplan> {
    const base = this.base(deployment)
    const [materials, version] = await run<[Record<string, string>, string | null]>(
      this.redis.multi().hgetall(`${base}:floorplan`).hget(`${base}:meta`, 'floorplan'),
    )
    return Floorplan.parse({
      deployment,
      version: Number(version ?? 0),
      materials: Object.entries(materials)
        .map(([id, text]) => ({ id, ...JSON.parse(text) }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    })
  }

  /** One material of the floorplan, or null. */
  async standing(deployment: string, id: string): Promise<StandingMaterial | null> {
    const text = await this.redis.hget(`${this.base(deployment)}:floorplan`, id)
    return text === null ? null : { id, ...JSON.parse(text) }
  }

  async lock(deployment: string): Promise<LockRecord | null> {
    const lock = await this.redis.hgetall(`${this.base(deployment)}:lock`)
    return lock.id
      ? { id: lock.id, plan: lock.plan!, holder: lock.holder!, since: Number(lock.since), message: lock.message! }
      : null
  }

  /** Names of all deployments that ever had a plan. */
  async deployments(): Promise<string[]> {
    return (await this.redis.smembers(`${this.settings.prefix}:deployments`)).sort()
  }

  /** The deployment of a plan; throws `not-found`. */
  async deploymentOfPlan(plan: string): Promise<string> {
    const deployment = await this.redis.hget(`${this.settings.prefix}:plans`, plan)
    if (deployment === null) throw new RemodelError('not-found', `there is no plan ${plan}`)
    return deployment
  }

  /** Ids of a deployment's plans, newest first. */
  async planIds(deployment: string, limit: number): Promise<string[]> {
    return this.redis.zrevrange(`${this.base(deployment)}:plans`, 0, limit - 1)
  }

  /**
   * Forgets finished plans beyond the newest `keep`, plans that nobody applied for `idleMs`, and the events from before the
   * oldest plan that is kept. Returns how many plans were forgotten.
   */
  async forget(deployment: string, keep: number, idleMs: number, now: number): Promise<number> {
    const base = this.base(deployment)
    const ids = await this.redis.zrevrange(`${base}:plans`, 0, -1)
    let [forgotten, firstEvent, finished] = [0, Number.POSITIVE_INFINITY, 0]
    for (const id of ids) {
      const [state, createdAt, first] = await this.redis.hmget(`${base}:plan:${id}`, 'state', 'createdAt', 'firstEvent')
      const over = state === 'done' || state === 'failed' || state === 'cancelled'
      const idle = state === 'stored' && now - Number(createdAt) > idleMs
      if ((over && ++finished > keep) || idle) {
        await this.#forgetPlan(base, id)
        forgotten += 1
      } else if (first) firstEvent = Math.min(firstEvent, Number(first))
    }
    if (forgotten > 0 && Number.isFinite(firstEvent))
      await this.redis.xtrim(`${base}:events`, 'MINID', `${firstEvent}-0`)
    return forgotten
  }

  async #forgetPlan(base: string, id: string): Promise<void> {
    const parts = [
      'graph',
      'remodels',
      'unmet',
      'state',
      'runs',
      'released',
      'running',
      'carried',
      'doomed',
      'places',
      'windows',
      'held',
      'errors',
    ]
    await this.redis.zrem(`${base}:plans`, id)
    await this.redis.hdel(`${this.settings.prefix}:plans`, id)
    await this.redis.unlink(`${base}:plan:${id}`, ...parts.map((part) => `${base}:plan:${id}:${part}`))
  }

  async planRecord(deployment: string, plan: string): Promise<PlanRecord> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const [meta, errors, running] = await run<[Record<string, string>, string[], number]>(
      this.redis.multi().hgetall(key).lrange(`${key}:errors`, 0, 99).zcard(`${key}:running`),
    )
    if (!meta.state) throw new RemodelError('not-found', `there is no plan ${plan}`)
    const count = (name: string) => Number(meta[name] ?? 0)
    return {
      id: plan,
      deployment,
      kind: meta.kind!,
      state: meta.state as PlanState,
      createdAt: count('createdAt'),
      startedAt: meta.startedAt ? count('startedAt') : null,
      finishedAt: meta.finishedAt ? count('finishedAt') : null,
      counts: {
        total: count('total'),
        done: count('done'),
        failed: count('failed'),
        skipped: count('skipped'),
        running,
      },
      errors: errors.map((text) => JSON.parse(text)),
    }
  }

  async plan(deployment: string, id: string): Promise<Plan> {
    const key = `${this.base(deployment)}:plan:${id}`
    const header = await this.redis.hget(key, 'header')
    if (header === null) throw new RemodelError('not-found', `there is no plan ${id}`)
    const [roots, texts] = [JSON.parse(header), await this.redis.hgetall(`${key}:remodels`)]
    const nodes = await this.redis.hgetall(`${key}:graph`)
    const order = (remodel: string) => Number(JSON.parse(nodes[remodel] ?? '{"n":0}').n)
    const remodels = Object.values(texts).map((text) => JSON.parse(text) as Remodel)
    const positions = new Map(remodels.map((remodel) => [remodel.id, order(remodel.id)]))
    return { ...roots, remodels: remodels.sort((a, b) => positions.get(a.id)! - positions.get(b.id)!) }
  }

  async remodelRecords(deployment: string, plan: string): Promise<RemodelRecord[]> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const [states, runs] = await run<[Record<string, string>, Record<string, string>]>(
      this.redis.multi().hgetall(`${key}:state`).hgetall(`${key}:runs`),
    )
    return Object.entries(states).map(([id, state]) => {
      const record = JSON.parse(runs[id] ?? '{}')
      return {
        id,
        state: state as RemodelState,
        attempt: record.attempt ?? 0,
        fence: record.fence ?? 0,
        worker: record.worker ?? null,
        startedAt: record.startedAt ?? null,
        finishedAt: record.finishedAt ?? null,
      }
    })
  }

  /** Events after `after`, at most `limit`; with `blockMs` waits that long for the first one. */
  async events(
    deployment: string,
    after: number,
    options: { limit?: number; blockMs?: number; on?: Redis } = {},
  ): Promise<LedgerEvent[]> {
    const redis = options.on ?? this.redis
    const stream = `${this.base(deployment)}:events`
    const count = options.limit ?? 1000
    const reply = options.blockMs
      ? await redis.xread('COUNT', count, 'BLOCK', options.blockMs, 'STREAMS', stream, `${after}-0`)
      : await redis.xread('COUNT', count, 'STREAMS', stream, `${after}-0`)
    return (reply?.[0]?.[1] ?? []).map(([, fields]) => JSON.parse(fields[1]!))
  }

  /** Deployments whose plan may still be open: those the planner must look after. */
  async active(): Promise<string[]> {
    return this.redis.smembers(`${this.settings.prefix}:active`)
  }

  /** Takes a deployment off the active list where nobody holds it. */
  async retire(deployment: string): Promise<void> {
    await this.redis.srem(`${this.settings.prefix}:active`, deployment)
    // A plan opened in between put itself on the list before it took the lock: look once more.
    if (await this.lock(deployment)) await this.redis.sadd(`${this.settings.prefix}:active`, deployment)
  }

  /** Puts deployments back on the active list that are held and not on it: whoever opened one may have died meanwhile. */
  async recall(): Promise<void> {
    const all = await this.deployments()
    const held = await Promise.all(all.map((deployment) => this.redis.exists(`${this.base(deployment)}:lock`)))
    const lost = all.filter((_, i) => held[i] === 1)
    if (lost.length > 0) await this.redis.sadd(`${this.settings.prefix}:active`, ...lost)
  }

  /** Work that was released before `before` and that nobody has claimed. */
  async unclaimed(deployment: string, plan: string, before: number | '+inf', limit: number): Promise<Released[]> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const ids = await this.redis.zrangebyscore(`${key}:released`, '-inf', before, 'LIMIT', 0, limit)
    if (ids.length === 0) return []
    const [nodes, runs] = await run<[(string | null)[], (string | null)[]]>(
      this.redis
        .multi()
        .hmget(`${key}:graph`, ...ids)
        .hmget(`${key}:runs`, ...ids),
    )
    return ids.map((remodel, i) => {
      const node = JSON.parse(nodes[i] ?? '{}')
      return {
        plan,
        remodel,
        queue: node.q,
        release: JSON.parse(runs[i] ?? '{}').releases ?? 1,
        weight: node.x ?? 0,
        delay: 0,
      }
    })
  }

  /** Those of `items` that nobody has claimed meanwhile. */
  async stillReleased(deployment: string, items: readonly Released[]): Promise<Released[]> {
    const [first] = items
    if (!first) return []
    const scores = await this.redis.zmscore(
      `${this.base(deployment)}:plan:${first.plan}:released`,
      ...items.map((item) => item.remodel),
    )
    return items.filter((_, i) => scores[i] !== null)
  }

  /** Workers that have a remodel of this plan in hand. */
  async workersOf(deployment: string, plan: string): Promise<string[]> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const ids = await this.redis.zrange(`${key}:running`, '0', '-1')
    if (ids.length === 0) return []
    const runs = await this.redis.hmget(`${key}:runs`, ...ids)
    return [...new Set(runs.flatMap((run) => JSON.parse(run ?? '{}').worker ?? []))]
  }

  /** What a remodel waits for, as phrases; empty where it is running or settled. */
  async waitsFor(
    deployment: string,
    plan: string,
    remodel: string,
  ): Promise<{ state: RemodelState; waitsFor: string[] }> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const state = (await this.redis.hget(`${key}:state`, remodel)) as RemodelState | null
    const text = await this.redis.hget(`${key}:remodels`, remodel)
    if (state === null || text === null) throw new RemodelError('not-found', `plan ${plan} has no remodel ${remodel}`)
    const { needs, place, queue, title } = JSON.parse(text) as Remodel
    if (state === 'queued') return { state, waitsFor: [`a free seat for ${place} in its windows`] }
    if (state === 'released') return { state, waitsFor: [`a worker of queue ${queue}`] }
    if (state === 'waiting') return { state, waitsFor: [`an approval: ${title}`] }
    if (state !== 'blocked') return { state, waitsFor: [] }
    const states = await this.redis.hmget(`${key}:state`, ...needs)
    const waitsFor = needs.flatMap((need, i) => (states[i] === 'done' ? [] : [`${need} (${states[i] ?? 'absent'})`]))
    return { state, waitsFor }
  }

  /** The error of a request while Redis is away. */
  unavailable(cause: unknown): RemodelError {
    return new RemodelError('unavailable', `Redis at ${redisAddress(this.settings)} cannot be reached`, { cause })
  }
}

/** What `claim.lua` and `complete.lua` answer for a remodel that was begun. */
type ClaimAnswer =
  | { status: 'claimed'; attempt: number; fence: number; deadline: number; now: number; kind: string; remodel: string }
  | { status: 'superseded'; state: string }

function claimOf(deployment: string, plan: string, answer: ClaimAnswer & { status: 'claimed' }): Claim {
  const { attempt, fence, deadline, now, kind, remodel } = answer
  return { deployment, plan, kind, remodel: JSON.parse(remodel), attempt, fence, remainingMs: deadline - now }
}

/** Runs a pipeline or transaction and throws the first error in it. */
async function run<Results extends unknown[]>(pipeline: {
  exec(): Promise<[Error | null, unknown][] | null>
}): Promise<Results> {
  const replies = (await pipeline.exec()) ?? []
  for (const [error] of replies) if (error) throw error
  return replies.map(([, value]) => value) as Results
}
