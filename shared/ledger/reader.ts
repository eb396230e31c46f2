import type { Redis } from 'ioredis'
import { RemodelError } from '../errors.ts'
import { Floorplan, type StandingMaterial } from '../model/material.ts'
import type { Plan, PlanState, Remodel, RemodelState } from '../model/plan.ts'
import type { Reservation } from '../model/reservation.ts'
import type { RedisSettings } from '../redis.ts'
import type { StoredRemodel } from './graph.ts'
import { baseKey } from './keys.ts'
import { run } from './pipeline.ts'
import type { Claim, LedgerEvent, LockRecord, PlanRecord, Released, RemodelRecord } from './records.ts'

/** How many parts of a long list one round trip reads. */
const partsAtOnce = 10

/** Reads what the ledger records. Changes nothing. No command reads all of a large plan: Redis is held by it as by a script. */
export class LedgerReader {
  readonly redis: Redis
  readonly settings: RedisSettings

  constructor(redis: Redis, settings: RedisSettings) {
    this.redis = redis
    this.settings = settings
  }

  base(deployment: string): string {
    return baseKey(this.settings.prefix, deployment)
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
    const remodels: Remodel[] = []
    for await (const ids of this.remodelIds(deployment, id)) {
      const texts = await this.redis.hmget(`${key}:remodels`, ...ids)
      for (const text of texts) if (text !== null) remodels.push(await this.#whole(deployment, id, text))
    }
    return { ...JSON.parse(header), reservations: await this.reservations(deployment, id), remodels }
  }

  /** Ids of a plan's remodels in its order, some hundreds at a time. */
  async *remodelIds(deployment: string, plan: string): AsyncGenerator<string[]> {
    for (let k = 0; ; k += partsAtOnce) {
      const ids = await this.#parts(deployment, plan, 'order', k)
      if (ids.length === 0) return
      yield ids
    }
  }

  /** All of a long list of a plan. */
  async #list(deployment: string, plan: string, list: string): Promise<string[]> {
    const all: string[] = []
    for (let k = 0; ; k += partsAtOnce) {
      const names = await this.#parts(deployment, plan, list, k)
      if (names.length === 0) return all
      all.push(...names)
    }
  }

  async #parts(deployment: string, plan: string, list: string, from: number): Promise<string[]> {
    const fields = Array.from({ length: partsAtOnce }, (_, i) => `${from + i} ${list}`)
    const parts = await this.redis.hmget(`${this.base(deployment)}:plan:${plan}:lists`, ...fields)
    return parts.flatMap((text): string[] => (text === null ? [] : JSON.parse(text)))
  }

  /** The exclusive names that a plan needs. */
  async reservations(deployment: string, plan: string): Promise<Reservation[]> {
    const found = await this.redis.hgetall(`${this.base(deployment)}:plan:${plan}:reservations`)
    return Object.entries(found)
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, text]) => JSON.parse(text) as Reservation)
  }

  /** One remodel as it was planned; throws `not-found`. */
  async remodel(deployment: string, plan: string, id: string): Promise<Remodel> {
    const text = await this.redis.hget(`${this.base(deployment)}:plan:${plan}:remodels`, id)
    if (text === null) throw new RemodelError('not-found', `plan ${plan} has no remodel ${id}`)
    return this.#whole(deployment, plan, text)
  }

  async #whole(deployment: string, plan: string, text: string): Promise<Remodel> {
    const { needs, ...rest } = JSON.parse(text) as StoredRemodel
    return { ...rest, needs: needs ?? (await this.#list(deployment, plan, `needs ${rest.id}`)) }
  }

  async remodelRecords(deployment: string, plan: string): Promise<RemodelRecord[]> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const records: RemodelRecord[] = []
    for await (const ids of this.remodelIds(deployment, plan)) {
      const [states, runs] = await run<[(string | null)[], (string | null)[]]>(
        this.redis
          .multi()
          .hmget(`${key}:state`, ...ids)
          .hmget(`${key}:runs`, ...ids),
      )
      for (const [i, id] of ids.entries()) records.push(recordOf(id, states[i] ?? 'blocked', runs[i] ?? '{}'))
    }
    return records
  }

  /** Those of `ids` that are blocked though no need of theirs is left. */
  async blockedWithoutNeeds(deployment: string, plan: string, ids: readonly string[]): Promise<string[]> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const [states, unmet] = await run<[(string | null)[], (string | null)[]]>(
      this.redis
        .multi()
        .hmget(`${key}:state`, ...ids)
        .hmget(`${key}:unmet`, ...ids),
    )
    return ids.filter((_, i) => states[i] === 'blocked' && Number(unmet[i] ?? 1) <= 0)
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
    return (reply?.[0]?.[1] ?? []).map(([, fields]) => eventOf(fields[1]!))
  }

  /** Deployments whose plan may still be open: those the planner must look after. */
  async active(): Promise<string[]> {
    return this.redis.smembers(`${this.settings.prefix}:active`)
  }

  /** Work that was published before `before` and that no worker has claimed, the oldest first, from the `from`th on. */
  async unclaimed(
    deployment: string,
    plan: string,
    queue: string,
    range: { before: number | '+inf'; from: number; limit: number },
  ): Promise<Released[]> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const { before, from, limit } = range
    const ids = await this.redis.zrangebyscore(`${key}:published:${queue}`, '-inf', before, 'LIMIT', from, limit)
    if (ids.length === 0) return []
    const [nodes, runs] = await run<[(string | null)[], (string | null)[]]>(
      this.redis
        .multi()
        .hmget(`${key}:graph`, ...ids)
        .hmget(`${key}:runs`, ...ids),
    )
    return ids.map((remodel, i) => ({
      plan,
      remodel,
      queue,
      release: JSON.parse(runs[i] ?? '{}').releases ?? 1,
      weight: JSON.parse(nodes[i] ?? '{}').x ?? 0,
      ahead: from + i,
    }))
  }

  /** Names of the queues that a plan's remodels go to. */
  async queuesOf(deployment: string, plan: string): Promise<string[]> {
    return JSON.parse((await this.redis.hget(`${this.base(deployment)}:plan:${plan}`, 'queues')) ?? '[]')
  }

  /** Whether an attempt is the one that runs now: no other fence was handed out, and it was not ended by others. */
  async isCurrent({
    deployment,
    plan,
    remodel,
    fence,
  }: Pick<Claim, 'deployment' | 'plan' | 'remodel' | 'fence'>): Promise<boolean> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const [state, text] = await run<[string | null, string | null]>(
      this.redis.multi().hget(`${key}:state`, remodel.id).hget(`${key}:runs`, remodel.id),
    )
    return state === 'running' && Number(JSON.parse(text ?? '{}').fence) === fence
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
    const { needs, place, queue, title } = await this.remodel(deployment, plan, remodel)
    if (state === null) throw new RemodelError('not-found', `plan ${plan} has no remodel ${remodel}`)
    if (state === 'queued') return { state, waitsFor: [`a free seat for ${place} in its windows`] }
    if (state === 'released') return { state, waitsFor: [`a worker of queue ${queue}`] }
    if (state === 'waiting') return { state, waitsFor: [`an approval: ${title}`] }
    if (state !== 'blocked') return { state, waitsFor: [] }
    const states = await this.redis.hmget(`${key}:state`, ...needs)
    const waitsFor = needs.flatMap((need, i) => (states[i] === 'done' ? [] : [`${need} (${states[i] ?? 'absent'})`]))
    return { state, waitsFor }
  }
}

/** Fences leave a script as text: they have more digits than its JSON would keep. */
function eventOf(text: string): LedgerEvent {
  const { fence, ...event } = JSON.parse(text)
  return fence === undefined ? event : { ...event, fence: Number(fence) }
}

function recordOf(id: string, state: string, text: string): RemodelRecord {
  const run = JSON.parse(text)
  return {
    id,
    state: state as RemodelState,
    attempt: run.attempt ?? 0,
    fence: Number(run.fence ?? 0),
    worker: run.worker ?? null,
    startedAt: run.startedAt ?? null,
    finishedAt: run.finishedAt ?? null,
  }
}
