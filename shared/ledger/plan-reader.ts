import type { Redis } from 'ioredis'
import type { EndedPlan, PlanHistory, Run } from '../history/plan-history.ts'
import { type Permit, type Plan, type Remodel, type RemodelState, storedRemodel, type Window } from '../model/plan.ts'
import type { Reservation } from '../model/reservation.ts'
import { RemodelError } from '../runtime/errors.ts'
import type { RedisSettings } from '../runtime/redis.ts'
import type { StoredRemodel } from './graph.ts'
import { baseKey } from './keys.ts'
import { run } from './pipeline.ts'
import type { RemodelRecord } from './records.ts'

/** How many parts of a long list one round trip reads. */
const partsAtOnce = 10

type RemodelPage = { remodel: Remodel; state: RemodelState; run: Run }[]

/**
 * Reads plans, those that run in Redis and those that ended in the blobstore. No command reads all of a large plan:
 * Redis is held by it as by a script.
 */
export class PlanReader {
  readonly redis: Redis
  readonly settings: RedisSettings

  /** Where plans lie that have ended. Workers, which only see plans that run, do without. */
  readonly history: PlanHistory | undefined

  constructor(redis: Redis, settings: RedisSettings, history?: PlanHistory) {
    this.redis = redis
    this.settings = settings
    this.history = history
  }

  base(deployment: string): string {
    return baseKey(this.settings.prefix, deployment)
  }

  /** A plan that lies in the blobstore; null where Redis has it. Throws `not-found` where there is none. */
  async ended(deployment: string, plan: string): Promise<EndedPlan | null> {
    const [state, blob] = await this.redis.hmget(`${this.base(deployment)}:plan:${plan}`, 'state', 'blob')
    if (state === null) throw new RemodelError('not-found', `there is no plan ${plan}`)
    if (blob === null || blob === undefined) return null
    if (!this.history)
      throw new RemodelError('unsupported', `plan ${plan} lies in the blobstore, which is not open here`)
    return this.history.read(blob)
  }

  /**
   * What a plan says, read by `inRedis`, or by `moved` where it lies in the blobstore: also where it was moved there
   * while it was read in Redis, which then found less of it.
   */
  async #read<Found>(
    [deployment, plan]: readonly [string, string],
    inRedis: () => Promise<Found | null>,
    moved: (ended: EndedPlan) => Found | null | undefined,
  ): Promise<Found | null> {
    const before = await this.ended(deployment, plan)
    if (before) return moved(before) ?? null
    const found = await inRedis()
    const after = await this.ended(deployment, plan)
    return after ? (moved(after) ?? null) : found
  }

  /** Throws `not-found`. */
  async plan(deployment: string, id: string): Promise<Plan> {
    const inRedis = async (): Promise<Plan | null> => {
      const total = await this.redis.hget(`${this.base(deployment)}:plan:${id}`, 'total')
      const header = await this.header(deployment, id)
      const remodels: Remodel[] = []
      for await (const page of this.remodelPages(deployment, id)) remodels.push(...page.map(({ remodel }) => remodel))
      return header && remodels.length === Number(total) ? { ...header, remodels } : null
    }
    const found = await this.#read([deployment, id], inRedis, (ended) => ended.plan)
    if (!found) throw new RemodelError('not-found', `plan ${id} is not whole`)
    return found
  }

  /** All of a plan but its remodels; null where Redis does not have it. */
  async header(deployment: string, plan: string): Promise<Omit<Plan, 'remodels'> | null> {
    const header = await this.redis.hget(`${this.base(deployment)}:plan:${plan}`, 'header')
    if (header === null) return null
    return {
      ...JSON.parse(header),
      reservations: await this.reservations(deployment, plan),
      permits: await this.#list<Permit>(deployment, plan, 'places'),
      windows: await this.#list<Window>(deployment, plan, 'windows'),
    }
  }

  /** A plan's remodels in its order, with what became of each, some hundreds at a time. */
  async *remodelPages(deployment: string, plan: string): AsyncGenerator<RemodelPage> {
    const key = `${this.base(deployment)}:plan:${plan}`
    for await (const ids of this.remodelIds(deployment, plan)) {
      const [texts, states, runs] = await run<(string | null)[][]>(
        this.redis
          .multi()
          .hmget(`${key}:remodels`, ...ids)
          .hmget(`${key}:state`, ...ids)
          .hmget(`${key}:runs`, ...ids),
      )
      const page: RemodelPage = []
      for (const [i, text] of texts!.entries()) {
        const remodel = text === null ? null : await this.#whole(deployment, plan, text)
        if (remodel === null) continue
        page.push({
          remodel,
          state: (states![i] ?? 'blocked') as RemodelState,
          run: JSON.parse(runs![i] ?? '{}') as Run,
        })
      }
      yield page
    }
  }

  /** Ids of a plan's remodels in its order, some hundreds at a time. */
  async *remodelIds(deployment: string, plan: string): AsyncGenerator<string[]> {
    for (let k = 0; ; k += partsAtOnce) {
      const ids = await this.#parts<string>(deployment, plan, 'order', k)
      if (ids.length === 0) return
      yield ids
    }
  }

  /** All of a long list of a plan. */
  async #list<Item>(deployment: string, plan: string, list: string): Promise<Item[]> {
    const all: Item[] = []
    for (let k = 0; ; k += partsAtOnce) {
      const items = await this.#parts<Item>(deployment, plan, list, k)
      if (items.length === 0) return all
      all.push(...items)
    }
  }

  async #parts<Item>(deployment: string, plan: string, list: string, from: number): Promise<Item[]> {
    const fields = Array.from({ length: partsAtOnce }, (_, i) => `${from + i} ${list}`)
    const parts = await this.redis.hmget(`${this.base(deployment)}:plan:${plan}:lists`, ...fields)
    return parts.flatMap((text): Item[] => (text === null ? [] : JSON.parse(text)))
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
    const inRedis = text === null ? null : await this.#whole(deployment, plan, text)
    if (inRedis) return inRedis
    const ended = await this.ended(deployment, plan)
    const moved = ended?.plan.remodels.find((remodel) => remodel.id === id)
    if (moved) return moved
    throw new RemodelError('not-found', `plan ${plan} has no remodel ${id}`)
  }

  /** With its needs; null where they have a list of their own, which went to the blobstore meanwhile. */
  async #whole(deployment: string, plan: string, text: string): Promise<Remodel | null> {
    const { needs, ...rest } = storedRemodel(JSON.parse(text) as StoredRemodel)
    const all = needs ?? (await this.#list<string>(deployment, plan, `needs ${rest.id}`))
    return needs === undefined && all.length === 0 ? null : { ...rest, needs: all }
  }

  async remodelRecords(deployment: string, plan: string): Promise<RemodelRecord[]> {
    const found = await this.#read(
      [deployment, plan],
      () => this.#recordsInRedis(deployment, plan),
      ({ states }) => [...states].map(([id, { state, run: record }]) => remodelRecord(id, state, record)),
    )
    return found ?? []
  }

  async #recordsInRedis(deployment: string, plan: string): Promise<RemodelRecord[]> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const records: RemodelRecord[] = []
    for await (const ids of this.remodelIds(deployment, plan)) {
      const [states, runs] = await run<[(string | null)[], (string | null)[]]>(
        this.redis
          .multi()
          .hmget(`${key}:state`, ...ids)
          .hmget(`${key}:runs`, ...ids),
      )
      for (const [i, id] of ids.entries())
        records.push(remodelRecord(id, (states[i] ?? 'blocked') as RemodelState, JSON.parse(runs[i] ?? '{}') as Run))
    }
    return records
  }

  /** What a remodel waits for, as phrases; empty where it is running or settled. */
  async waitsFor(
    deployment: string,
    plan: string,
    remodel: string,
  ): Promise<{ state: RemodelState; waitsFor: string[] }> {
    const found = await this.#read(
      [deployment, plan],
      () => this.#waitsInRedis(deployment, plan, remodel),
      ({ states }) => (states.has(remodel) ? { state: states.get(remodel)!.state, waitsFor: [] } : null),
    )
    if (!found) throw new RemodelError('not-found', `plan ${plan} has no remodel ${remodel}`)
    return found
  }

  async #waitsInRedis(
    deployment: string,
    plan: string,
    remodel: string,
  ): Promise<{ state: RemodelState; waitsFor: string[] } | null> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const state = (await this.redis.hget(`${key}:state`, remodel)) as RemodelState | null
    if (state === null) return null
    const { needs, permit, queue, title, action } = await this.remodel(deployment, plan, remodel)
    if (state === 'queued') return { state, waitsFor: [`permit ${permit}, in its windows`] }
    if (state === 'released') return { state, waitsFor: [`a worker of queue ${queue}`] }
    if (state === 'waiting') {
      const { waits } = JSON.parse((await this.redis.hget(`${key}:runs`, remodel)) ?? '{}') as Run
      return {
        state,
        waitsFor: [waits ? waits.on : action === 'gate' ? `the moment to ${title}` : `an approval: ${title}`],
      }
    }
    if (state !== 'blocked') return { state, waitsFor: [] }
    const states = await this.redis.hmget(`${key}:state`, ...needs)
    const waitsFor = needs.flatMap((need, i) => (states[i] === 'done' ? [] : [`${need} (${states[i] ?? 'absent'})`]))
    return { state, waitsFor }
  }
}

function remodelRecord(id: string, state: RemodelState, run: Run): RemodelRecord {
  return {
    id,
    state,
    attempt: run.attempt ?? 0,
    release: run.releases ?? 1,
    fence: Number(run.fence ?? 0),
    worker: run.worker ?? null,
    startedAt: run.startedAt ?? null,
    finishedAt: run.finishedAt ?? null,
    waitsFor: state === 'waiting' ? (run.waits?.on ?? null) : null,
  }
}
