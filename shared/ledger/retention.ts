import { linesOf } from '../history/lines.ts'
import type { Plan } from '../model/plan.ts'
import type { Names } from '../reservation/names.ts'
import { RemodelError } from '../runtime/errors.ts'
import { failpoint } from '../runtime/failpoint.ts'
import { capTimes } from '../runtime/redis/cap-times.ts'
import { deploymentOf, dueKey, endedKey, recentKey } from './keys.ts'
import { run } from './pipeline.ts'
import type { LedgerReader } from './reader.ts'
import type { scriptsOn } from './scripts.ts'

/** How long the plans of a deployment that is gone are remembered. */
const pastMs = 30 * 24 * 3600 * 1000
/** Retention puts off no deployment for longer. */
export const longestPutOffMs = 3600 * 1000

interface RetentionParts {
  scripts: ReturnType<typeof scriptsOn>
  channel: string
  names: Names
}

/**
 * The lists that plans and deployments are on, and how plans that ended leave them: moved to the blobstore, then
 * forgotten.
 */
export class Retention {
  readonly #plans: LedgerReader
  readonly #redis: LedgerReader['redis']
  readonly #settings: LedgerReader['settings']
  readonly #scripts: RetentionParts['scripts']
  readonly #channel: string
  readonly #names: Names

  constructor(plans: LedgerReader, { scripts, channel, names }: RetentionParts) {
    this.#plans = plans
    this.#redis = plans.redis
    this.#settings = plans.settings
    this.#scripts = scripts
    this.#channel = channel
    this.#names = names
  }

  /** Global lists live outside the deployment's slot: written after the plan, and again when it is stored again. */
  async list({ id, deployment }: Pick<Plan, 'id' | 'deployment'>, at: number): Promise<void> {
    const { prefix } = this.#settings
    await this.#redis.sadd(`${prefix}:deployments`, deployment)
    await this.#redis.hset(`${prefix}:plans`, id, deployment)
    await this.#redis.zadd(recentKey(this.#settings), at, id)
    await this.#redis.zadd(dueKey(this.#settings), 'LT', at, deployment)
  }

  /**
   * Puts a plan that ended on the list of those that are to be moved to the blobstore, and its deployment on that of
   * retention: it has one finished plan more.
   */
  async listEnded(deployment: string, plan: string): Promise<void> {
    const now = await this.#plans.time()
    await this.#redis.zadd(endedKey(this.#settings), 'NX', now, JSON.stringify([deployment, plan]))
    await this.#redis.zadd(dueKey(this.#settings), 'XX', 'LT', now, deployment)
  }

  /** Plans of that list, which stand there for longer than `restingMs`, the longest first. */
  async endedPlans(restingMs: number, limit: number): Promise<{ deployment: string; plan: string }[]> {
    const now = await this.#plans.time()
    await capTimes(this.#redis, endedKey(this.#settings), now)
    const before = now - restingMs
    const members = await this.#redis.zrangebyscore(endedKey(this.#settings), '-inf', before, 'LIMIT', 0, limit)
    return members.map((text) => {
      const [deployment, plan] = JSON.parse(text) as [string, string]
      return { deployment, plan }
    })
  }

  /**
   * Moves a plan that ended to the blobstore: the blob first, then in one script Redis' record names it and the rest
   * goes. Cut off in between, no record names the blob, and the plan is still on the list. Nothing is done where it
   * was forgotten or moved.
   */
  async archive(deployment: string, plan: string): Promise<void> {
    if (!this.#plans.history) throw new RemodelError('unsupported', 'plans are moved by planners only')
    const base = this.#plans.base(deployment)
    const [state, blob] = await this.#redis.hmget(`${base}:plan:${plan}`, 'state', 'blob')
    if (state && !blob) {
      const digest = await this.#plans.history.write(linesOf(this.#plans, deployment, plan))
      await failpoint('history.written')
      const keptFrom = Number(await this.#scripts.archive(base, this.#channel, plan, digest))
      await failpoint('history.moved')
      if (keptFrom > 0) await this.#trimEvents(base, keptFrom)
    }
    await this.#redis.zrem(endedKey(this.#settings), JSON.stringify([deployment, plan]))
  }

  /**
   * Forgets finished plans beyond the newest `keep`, plans that were not applied for `idleMs`, and the events from
   * before the oldest plan that is kept; of a deployment that has no materials, all that ended a month ago, and with
   * the last one its name. Returns how many plans were forgotten.
   */
  async forget(deployment: string, keep: number, idleMs: number, now: number): Promise<number> {
    const base = this.#plans.base(deployment)
    const ids = await this.#redis.zrevrange(`${base}:plans`, 0, -1)
    let [forgotten, firstEvent, finished] = [0, Number.POSITIVE_INFINITY, 0]
    const hasMaterials = (await this.#redis.exists(`${base}:floorplan`)) === 1
    for (const id of ids) {
      const [state, createdAt, first, ended] = await this.#redis.hmget(
        `${base}:plan:${id}`,
        'state',
        'createdAt',
        'firstEvent',
        'finishedAt',
      )
      const isOver = state === 'done' || state === 'failed' || state === 'cancelled'
      const isIdle = state === 'stored' && now - Number(createdAt) > idleMs
      const isGone = state === null
      const isPast = isOver && !hasMaterials && now - Number(ended) > pastMs
      if (
        ((isOver && ++finished > keep) || isPast || isIdle || isGone) &&
        (await this.#forgetPlan(base, id, now - idleMs))
      ) {
        forgotten += 1
      } else if (first) firstEvent = Math.min(firstEvent, Number(first))
    }
    if (forgotten > 0 && Number.isFinite(firstEvent)) await this.#trimEvents(base, firstEvent)
    if (forgotten > 0 && forgotten === ids.length) await this.#forgetDeployment(deployment)
    return forgotten
  }

  /** Deployments that retention has to look at, the longest due first. */
  async dueForRetention(limit: number): Promise<string[]> {
    const now = await this.#plans.time()
    await capTimes(this.#redis, dueKey(this.#settings), now + longestPutOffMs)
    return this.#redis.zrangebyscore(dueKey(this.#settings), '-inf', now, 'LIMIT', 0, limit)
  }

  /**
   * Retention has looked at a deployment and comes back in `ms`, an hour at most, or sooner where a
   * plan is stored or ends.
   */
  async putOffRetention(deployment: string, ms: number): Promise<void> {
    await this.#redis.zadd(dueKey(this.#settings), 'XX', (await this.#plans.time()) + ms, deployment)
  }

  /** Puts plans and deployments on the global lists that were stored before these were kept. */
  async relist(): Promise<void> {
    for (const deployment of await this.#plans.deployments()) {
      if ((await this.#redis.zscore(dueKey(this.#settings), deployment)) !== null) continue
      const plans = await this.#redis.zrange(`${this.#plans.base(deployment)}:plans`, '0', '-1', 'WITHSCORES')
      for (let i = 0; i < plans.length; i += 2) {
        await this.#redis.zadd(recentKey(this.#settings), Number(plans[i + 1]), plans[i]!)
      }
      await this.#redis.zadd(dueKey(this.#settings), 'NX', 0, deployment)
    }
  }

  /**
   * The name of a deployment goes with its last plan, where it has no materials and nothing is going on. Its counters
   * stay: events and fences of a later deployment of this name go on from them.
   */
  async #forgetDeployment(deployment: string): Promise<void> {
    const [base, { prefix }] = [this.#plans.base(deployment), this.#settings]
    const isEmpty = async () => {
      const used = await run<number[]>(
        this.#redis.pipeline().exists(`${base}:plans`).exists(`${base}:floorplan`).exists(`${base}:lock`),
      )
      return used.every((there) => there === 0)
    }
    if (!(await isEmpty())) return
    await this.#redis.srem(`${prefix}:deployments`, deployment)
    await this.#redis.zrem(dueKey(this.#settings), deployment)
    // A plan that is stored in between puts the name on its lists after itself; where that was faster than the look,
    // the name is put back here.
    if (!(await isEmpty())) {
      await this.#redis.sadd(`${prefix}:deployments`, deployment)
      await this.#redis.zadd(dueKey(this.#settings), 'NX', 0, deployment)
      return
    }
    await this.#redis.unlink(`${base}:events`, `${base}:orders`)
    await this.#names.forget(deployment)
  }

  /** Its place in the list goes last: where this ends in between, the next retention comes across it again. */
  async #forgetPlan(base: string, id: string, idleSince: number): Promise<boolean> {
    if (Number(await this.#scripts.forget(base, this.#channel, id, idleSince)) !== 1) return false
    await failpoint('ledger.forgotten')
    await this.#redis.hdel(`${this.#settings.prefix}:plans`, id)
    await this.#redis.zrem(recentKey(this.#settings), id)
    await this.#redis.zrem(`${base}:plans`, id)
    return !(await this.#relistStored(base, id))
  }

  /**
   * A plan that is drawn again just when it is forgotten is stored under the same id, and puts itself on the lists;
   * where that was faster than it was taken off them, it is put back here.
   */
  async #relistStored(base: string, id: string): Promise<boolean> {
    const [state, createdAt] = await this.#redis.hmget(`${base}:plan:${id}`, 'state', 'createdAt')
    if (!state) return false
    await this.#redis.zadd(`${base}:plans`, Number(createdAt), id)
    await this.list({ id, deployment: deploymentOf(base) }, Number(createdAt))
    return true
  }

  /** Many are dropped in whole nodes of the stream, some of them at a time; the rest by name. */
  async #trimEvents(base: string, first: number): Promise<void> {
    let trimmed: number
    do trimmed = await this.#redis.xtrim(`${base}:events`, 'MINID', '~', `${first}-0`, 'LIMIT', 10_000)
    while (trimmed > 0)
    await this.#redis.xtrim(`${base}:events`, 'MINID', `${first}-0`)
  }
}
