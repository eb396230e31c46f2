import { Actor } from '../model/actor.ts'
import { type ActualMaterial, Floorplan } from '../model/material.ts'
import { RemodelError } from '../runtime/errors.ts'
import { type EventOptions, readEvents } from './events.ts'
import { lockOf, planRecordOf, queuePlanRecord } from './overview.ts'
import { run } from './pipeline.ts'
import { PlanReader } from './plan-reader.ts'
import type { Claim, LedgerEvent, LockRecord, OrderRecord, OwedFence, PlanRecord, Released } from './records.ts'

/** Reads what the ledger records. Changes nothing. */
export class LedgerReader extends PlanReader {
  /** Milliseconds by Redis' clock, the one that all processes share. */
  async time(): Promise<number> {
    const [seconds, micros] = await this.redis.time()
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
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
  async actual(deployment: string, id: string): Promise<ActualMaterial | null> {
    const text = await this.redis.hget(`${this.base(deployment)}:floorplan`, id)
    return text === null ? null : { id, ...JSON.parse(text) }
  }

  /** Its standing orders, the newest first: at most the last hundred. */
  async orders(deployment: string): Promise<OrderRecord[]> {
    const records = Object.entries(await this.redis.hgetall(`${this.base(deployment)}:orders`))
    return records
      .map(([version, text]) => {
        const { by, ...record } = JSON.parse(text)
        return { ...record, by: Actor.safeParse(by).data ?? null, version: Number(version) }
      })
      .sort((a, b) => b.version - a.version)
  }

  async lock(deployment: string): Promise<LockRecord | null> {
    const lock = await this.redis.hgetall(`${this.base(deployment)}:lock`)
    return lock.id ? lockOf(lock) : null
  }

  /** Plans that are open without the lock (`lua/park.lua`). */
  async parked(deployment: string): Promise<string[]> {
    return this.redis.zrange(`${this.base(deployment)}:parked`, '0', '-1')
  }

  /** The plan that was opened under this id of a lock, whatever has become of it; null where there is none. */
  async openedAs(deployment: string, lock: string): Promise<PlanRecord | null> {
    const ids = await this.planIds(deployment, 0)
    const pipeline = this.redis.pipeline()
    for (const id of ids) pipeline.hget(`${this.base(deployment)}:plan:${id}`, 'lock')
    const locks = ids.length === 0 ? [] : await run<(string | null)[]>(pipeline)
    const plan = ids.find((_, i) => locks[i] === lock)
    return plan === undefined ? null : this.planRecord(deployment, plan)
  }

  /** Whether a plan of it is carried out, or is parked and may go on. */
  async isOpen(deployment: string): Promise<boolean> {
    const base = this.base(deployment)
    return (await this.redis.exists(`${base}:lock`, `${base}:parked`)) > 0
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

  /** The kind of a deployment, as its newest plan says; undefined where no plan names it. */
  async kindOf(deployment: string): Promise<string | undefined> {
    const [newest] = await this.planIds(deployment, 1)
    return newest === undefined ? undefined : (await this.planRecord(deployment, newest)).kind
  }

  async planRecord(deployment: string, plan: string): Promise<PlanRecord> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const replies = await run<unknown[]>(queuePlanRecord(this.redis.pipeline(), key))
    const record = planRecordOf(deployment, plan, replies)
    if (!record) throw new RemodelError('not-found', `there is no plan ${plan}`)
    return record
  }

  /** Why a remodel failed; null where it did not, or its plan is no longer in Redis. */
  async causeOf(
    deployment: string,
    plan: string,
    remodel: string,
  ): Promise<Omit<PlanRecord['errors'][0], 'remodel'> | null> {
    const state = await this.redis.hget(`${this.base(deployment)}:plan:${plan}:state`, remodel)
    if (state !== 'failed') return null
    const { errors } = await this.planRecord(deployment, plan)
    return errors.find((one) => one.remodel === remodel) ?? { code: 'job-failed', message: 'its plan has the reason' }
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

  /**
   * Events after `after`, at most `limit`, of one plan where it is named: less are all that there are. With `blockMs`
   * waits that long for the first one.
   */
  async events(deployment: string, after: number, options: EventOptions = {}): Promise<LedgerEvent[]> {
    return readEvents(this, deployment, after, options)
  }

  /** When a plan was cancelled, by Redis' clock; null where it was not. */
  async cancelledAt(deployment: string, plan: string): Promise<number | null> {
    const at = await this.redis.hget(`${this.base(deployment)}:plan:${plan}`, 'cancelledAt')
    return at === null ? null : Number(at)
  }

  /** Fences of attempts that others ended and that machines may not have been shown. */
  async owed(deployment: string): Promise<OwedFence[]> {
    const all = await this.redis.hgetall(`${this.base(deployment)}:owed`)
    return Object.entries(all).map(([material, text]) => {
      const { fence, left = null } = JSON.parse(text)
      return { material, fence: Number(fence), left }
    })
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

  /** Workers that are carrying out a remodel of this plan. */
  async workersOf(deployment: string, plan: string): Promise<string[]> {
    const key = `${this.base(deployment)}:plan:${plan}`
    const ids = await this.redis.zrange(`${key}:running`, '0', '-1')
    if (ids.length === 0) return []
    const runs = await this.redis.hmget(`${key}:runs`, ...ids)
    return [...new Set(runs.flatMap((run) => JSON.parse(run ?? '{}').worker ?? []))]
  }
}
