import { readActor } from '../model/actor.ts'
import { materialType } from '../model/material.ts'
import type { PlanState } from '../model/plan.ts'
import { recentKey } from './keys.ts'
import { run } from './pipeline.ts'
import type { LedgerReader } from './reader.ts'
import type { LockRecord, PlanRecord } from './records.ts'

/** What the record of a plan is made of; its header, which may be large, is not among it. */
const fields = [
  'state',
  'kind',
  'action',
  'createdAt',
  'startedAt',
  'finishedAt',
  'total',
  'done',
  'failed',
  'skipped',
  'moreErrors',
  'verdict',
  'parked',
  'by',
] as const

/** How many plans of a deployment that was only looked at are looked through for the last deploy: more are not kept. */
const lookedThrough = 200

export interface DeploymentRecord {
  name: string
  /** Type of material -> how many of it stand. */
  materials: Record<string, number>
  floorplanVersion: number
  /** The newest plan that was begun; one that was only looked at where none was. */
  lastPlan: PlanRecord
  lock: string | null
}

/** Tables over all deployments, each in a fixed number of round trips. */
export class Overview {
  readonly #ledger: LedgerReader

  constructor(ledger: LedgerReader) {
    this.#ledger = ledger
  }

  /** Deployments that are held, or of these the one that is asked for. */
  async locks(deployment?: string): Promise<{ deployment: string; lock: LockRecord }[]> {
    const names = deployment === undefined ? (await this.#ledger.active()).sort() : [deployment]
    const pipeline = this.#ledger.redis.pipeline()
    for (const name of names) pipeline.hgetall(`${this.#ledger.base(name)}:lock`)
    const locks = await run<Record<string, string>[]>(pipeline)
    return locks.flatMap((lock, i) => (lock.id ? [{ deployment: names[i]!, lock: lockOf(lock) }] : []))
  }

  /** The newest plans of all deployments, or of one. */
  async plans(limit: number, deployment?: string): Promise<PlanRecord[]> {
    const wanted = deployment === undefined ? await this.#recent(limit) : await this.#plansOf(deployment, limit)
    return (await this.#records(wanted)).sort((a, b) => b.createdAt - a.createdAt).slice(0, limit)
  }

  async deployments(names: readonly string[]): Promise<DeploymentRecord[]> {
    const pipeline = this.#ledger.redis.pipeline()
    for (const name of names) {
      const base = this.#ledger.base(name)
      pipeline.hkeys(`${base}:floorplan`).hget(`${base}:meta`, 'floorplan')
      pipeline.zrevrange(`${base}:plans`, 0, 0).hget(`${base}:lock`, 'id')
    }
    const found = await run<unknown[]>(pipeline)
    const newest = names.map((deployment, i) => ({ deployment, plan: (found[4 * i + 2] as string[])[0] }))
    const records = await this.#applied(
      await this.#records(newest.flatMap((one) => (one.plan ? [{ ...one, plan: one.plan }] : []))),
    )
    const byName = new Map(records.map((record) => [record.deployment, record]))
    return names.flatMap((name, i): DeploymentRecord[] => {
      const [ids, version, , lock] = found.slice(4 * i, 4 * i + 4) as [string[], string | null, unknown, string | null]
      const lastPlan = byName.get(name)
      return lastPlan
        ? [{ name, materials: countByType(ids), floorplanVersion: Number(version ?? 0), lastPlan, lock }]
        : []
    })
  }

  /**
   * A plan that was only looked at says nothing of what was done: the newest one that was begun takes its
   * place, where there is one.
   */
  async #applied(records: readonly PlanRecord[]): Promise<PlanRecord[]> {
    const looked = records.filter(({ state }) => state === 'stored')
    if (looked.length === 0) return [...records]
    const earlier = await Promise.all(
      looked.map(async ({ deployment }) => {
        const plans = await this.#plansOf(deployment, lookedThrough)
        const pipeline = this.#ledger.redis.pipeline()
        for (const { plan } of plans) pipeline.hget(`${this.#ledger.base(deployment)}:plan:${plan}`, 'state')
        const states = await run<(string | null)[]>(pipeline)
        return plans.filter((_, i) => states[i] !== null && states[i] !== 'stored').slice(0, 1)
      }),
    )
    const begun = new Map((await this.#records(earlier.flat())).map((record) => [record.deployment, record]))
    return records.map((record) => begun.get(record.deployment) ?? record)
  }

  async #recent(limit: number): Promise<{ deployment: string; plan: string }[]> {
    const { redis, settings } = this.#ledger
    const ids = await redis.zrevrange(recentKey(settings), 0, limit - 1)
    if (ids.length === 0) return []
    const owners = await redis.hmget(`${settings.prefix}:plans`, ...ids)
    return ids.flatMap((plan, i) => (owners[i] ? [{ deployment: owners[i]!, plan }] : []))
  }

  async #plansOf(deployment: string, limit: number): Promise<{ deployment: string; plan: string }[]> {
    return (await this.#ledger.planIds(deployment, limit)).map((plan) => ({ deployment, plan }))
  }

  /** Those of them that were not forgotten meanwhile. */
  async #records(wanted: readonly { deployment: string; plan: string }[]): Promise<PlanRecord[]> {
    const pipeline = this.#ledger.redis.pipeline()
    for (const { deployment, plan } of wanted)
      queuePlanRecord(pipeline, `${this.#ledger.base(deployment)}:plan:${plan}`)
    const replies = await run<unknown[]>(pipeline)
    return wanted.flatMap(({ deployment, plan }, i) => {
      const record = planRecordOf(deployment, plan, replies.slice(3 * i, 3 * i + 3))
      return record ? [record] : []
    })
  }
}

type Pipeline = ReturnType<LedgerReader['redis']['pipeline']>

/** Asks for what `planRecordOf` reads: three replies. */
export function queuePlanRecord(pipeline: Pipeline, key: string): Pipeline {
  return pipeline
    .hmget(key, ...fields)
    .lrange(`${key}:errors`, 0, 99)
    .zcard(`${key}:running`)
}

/** Null where there is no such plan. */
export function planRecordOf(deployment: string, plan: string, replies: readonly unknown[]): PlanRecord | null {
  const [values, errors, running] = replies as [(string | null)[], string[], number]
  const of = (field: (typeof fields)[number]) => values[fields.indexOf(field)] ?? null
  const count = (field: (typeof fields)[number]) => Number(of(field) ?? 0)
  const time = (field: 'startedAt' | 'finishedAt') => (of(field) === null ? null : count(field))
  const state = of('state')
  if (state === null) return null
  const parked = JSON.parse((state === 'parked' && of('parked')) || 'null') as PlanRecord['parked']
  return {
    id: plan,
    deployment,
    kind: of('kind') ?? '',
    action: of('action'),
    state: state as PlanState,
    createdAt: count('createdAt'),
    startedAt: time('startedAt'),
    finishedAt: time('finishedAt'),
    counts: { total: count('total'), done: count('done'), failed: count('failed'), skipped: count('skipped'), running },
    errors: errors.map((text) => JSON.parse(text)),
    moreErrors: count('moreErrors'),
    by: of('by') === null ? null : readActor(of('by')!),
    parked: parked && { on: parked.on, since: parked.since },
    verdict: JSON.parse(of('verdict') ?? 'null'),
  }
}

/** A lock as Redis has it, or as a script answers it; it must have an id. */
export function lockOf(lock: Record<string, string>): LockRecord {
  return {
    id: lock.id!,
    plan: lock.plan!,
    holder: readActor(lock.holder ?? ''),
    since: Number(lock.since),
    message: lock.message!,
  }
}

function countByType(ids: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const id of [...ids].sort()) counts[materialType(id)] = (counts[materialType(id)] ?? 0) + 1
  return counts
}
