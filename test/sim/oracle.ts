import type { Plan, Remodel } from '../../shared/model/plan.ts'
import type { RedisModel, Watcher } from './redis/model.ts'
import type { Effect, World } from './world.ts'

/** A broken guarantee: `rule` is stable, so that shrinking keeps to one. */
export class Violation extends Error {
  readonly rule: string
  constructor(rule: string, message: string) {
    super(`${rule}: ${message}`)
    this.rule = rule
  }
}

/** What holds whatever Redis has forgotten. */
const untouched = new Set([
  ...['unhandled', 'finishes', 'model'],
  ...['fences-unique', 'fences-grow', 'fence-shared', 'effect-once', 'stale-effect'],
])
const settled = new Set(['done', 'failed', 'skipped'])
const open = new Set(['running', 'parked', 'failing', 'cancelling'])

/** From -> to that a remodel's state may take. */
const legal: Record<string, string[]> = {
  // A gate that is reached when its time is over fails.
  blocked: ['queued', 'released', 'waiting', 'running', 'done', 'failed', 'skipped'],
  queued: ['released', 'running', 'skipped'],
  // A wait whose time is up fails, also where it is to be looked at.
  released: ['running', 'failed', 'skipped'],
  running: ['released', 'waiting', 'done', 'failed', 'skipped'],
  waiting: ['released', 'done', 'failed', 'skipped'],
}

interface Known {
  plan: Plan
  remodels: Map<string, Remodel>
  /** It will be ended by force. */
  forced: boolean
}

/**
 * Watches the ledger and the world and says at once when a guarantee is broken. Reads only what is stored: what the
 * processes believe does not count.
 */
export class Oracle implements Watcher {
  readonly #redis: RedisModel
  readonly #prefix: string
  readonly #plans = new Map<string, Known>()
  readonly #dirty = new Set<string>()
  readonly #done = new Set<string>()
  readonly #effects = new Set<string>()
  /** Deployment -> the largest number of its plans that have changed something. */
  readonly #plan = new Map<string, number>()
  /** Scope and fence -> the process that changed something under it. */
  readonly #attempts = new Map<string, string>()
  /** Stream of events -> the largest fence that it ever told. */
  readonly #fences = new Map<string, number>()
  readonly #largest = new Map<string, number>()
  /** Off after Redis lost writes: what rests on what it acknowledged is not looked at any more. */
  trusting = true
  /** Redis' clock was set back. */
  clockWentBack = false
  first: Violation | null = null

  constructor(redis: RedisModel, world: World, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
    redis.watcher = this
    world.changed = (effect) => this.#changed(effect)
  }

  know(plan: Plan, forced: boolean): void {
    this.#plans.set(plan.id, { plan, forced, remodels: new Map(plan.remodels.map((remodel) => [remodel.id, remodel])) })
  }

  plans(): Plan[] {
    return [...this.#plans.values()].map(({ plan }) => plan)
  }

  report(rule: string, message: string): void {
    if (this.trusting || untouched.has(rule)) this.first ??= new Violation(rule, message)
  }

  hashChanged(key: string, field: string, before: string | undefined, after: string | undefined): void {
    if (key.endsWith(':compiled') && before !== undefined && before !== after) {
      this.report('compiled-once', `the result of ${field} changed`)
    }
    const plan = planIn(key)
    if (plan === undefined) return
    this.#dirty.add(plan)
    if (key.endsWith(`:plan:${plan}:state`)) this.#moved(plan, field, before, after)
  }

  unknown(command: string): void {
    this.report('model', `the model of Redis has no command ${command}`)
  }

  streamGrew(key: string, id: string, fields: string[]): void {
    const entries = this.#redis.read(key, 'stream')!
    const seq = Number(id.split('-')[0])
    if (seq !== entries.length) this.report('events-gapless', `event ${seq} of ${key} is number ${entries.length}`)
    const event = JSON.parse(fields[1]!) as {
      seq: number
      type: string
      plan: string
      remodel?: string
      fence?: string
    }
    if (event.seq !== seq) this.report('events-gapless', `event ${seq} says it is ${event.seq}`)
    if (event.type === 'remodel.started') this.#drawn(key, Number(event.fence))
    if (event.type !== 'remodel.done') return
    const name = `${event.plan} ${event.remodel}`
    if (this.#done.has(name)) this.report('recorded-once', `${name} was recorded as done twice`)
    this.#done.add(name)
  }

  /** Remembers what Redis may forget: every fence that it ever handed out. */
  #drawn(stream: string, fence: number): void {
    const last = this.#fences.get(stream) ?? 0
    if (fence === last) this.report('fences-unique', `the fence ${fence} of ${stream} was handed out twice`)
    // A clock that was set back may hide from Redis what it has lost; machines refuse the smaller fence then.
    if (fence < last && !this.clockWentBack)
      this.report('fences-grow', `${fence} was handed out for ${stream} after ${last}`)
    this.#fences.set(stream, Math.max(last, fence))
  }

  /** Called when a command or script has ended. */
  check(): void {
    for (const plan of this.#dirty) this.#checkPlan(plan)
    this.#dirty.clear()
  }

  #moved(plan: string, id: string, before: string | undefined, after: string | undefined): void {
    const remodel = this.#plans.get(plan)?.remodels.get(id)
    if (!remodel || after === undefined || before === undefined) return
    if (before === after && !settled.has(before)) {
      if (before === 'blocked' || before === 'running') return
    }
    if (!legal[before]?.includes(after)) this.report('states-legal', `${plan} ${id} went from ${before} to ${after}`)
    if (after === 'done' && remodel.opens !== undefined && this.#redis.now() < remodel.opens)
      this.report('gate-in-time', `${plan} ${id} opened ${remodel.opens - this.#redis.now()} ms before its moment`)
    if (after !== before && (after === 'queued' || after === 'waiting' || after === 'running'))
      this.#checkMayStart(plan, remodel, before, after)
    if (after === 'skipped') this.#checkSettled(plan, remodel)
    else if (after !== 'blocked') this.#checkNeeds(plan, remodel, `becomes ${after}`)
  }

  /**
   * A plan that stops is worked off in slices: what was released before may stand so for a while, but is never begun.
   */
  #checkMayStart(plan: string, remodel: Remodel, before: string, after: string): void {
    const state = this.#redis.read(this.#key(plan, ''), 'hash')?.get('state')
    if (state !== 'failing' && state !== 'cancelling') return
    if (remodel.when === 'always' || (state === 'failing' && remodel.when === 'independent')) return
    this.report('no-new-start', `${plan} is ${state}, but ${remodel.id} went from ${before} to ${after}`)
  }

  #checkNeeds(plan: string, remodel: Remodel, what: string): void {
    const states = this.#redis.read(this.#key(plan, ':state'), 'hash')
    for (const need of remodel.needs) {
      const state = states?.get(need) ?? 'absent'
      if (state === 'done' || (remodel.when === 'always' && settled.has(state))) continue
      this.report('needs-first', `${plan} ${remodel.id} ${what} while ${need} is ${state}`)
    }
  }

  /** Cleanup comes after everything before it, skipped or not: nothing is skipped while a need of it still runs. */
  #checkSettled(plan: string, remodel: Remodel): void {
    if (this.#plans.get(plan)?.forced || this.#isWithoutLock(plan)) return
    const states = this.#redis.read(this.#key(plan, ':state'), 'hash')
    for (const need of remodel.needs) {
      const state = states?.get(need) ?? 'absent'
      if (!settled.has(state)) this.report('skipped-last', `${plan} ${remodel.id} is skipped while ${need} is ${state}`)
    }
  }

  #checkPlan(id: string): void {
    const known = this.#plans.get(id)
    if (!known) return
    const meta = this.#redis.read(this.#key(id, ''), 'hash')
    const states = this.#redis.read(this.#key(id, ':state'), 'hash')
    const state = meta?.get('state')
    if (!meta || !states || state === undefined || state === 'stored') return
    const counts: Record<string, number> = { done: 0, failed: 0, skipped: 0 }
    for (const one of states.values()) if (settled.has(one)) counts[one]! += 1
    const left = states.size - counts.done! - counts.failed! - counts.skipped!
    const cancelledUnopened = state === 'cancelled' && meta.get('startedAt') === undefined
    for (const [name, count] of Object.entries({ ...counts, open: left })) {
      if (Number(meta.get(name)) !== count)
        this.report('counters', `${id} counts ${meta.get(name)} ${name}, there are ${count}`)
    }
    if (!open.has(state)) {
      if (left > 0 && !cancelledUnopened) this.report('counters', `${id} is ${state} with ${left} unsettled remodels`)
      return
    }
    if (this.#isWithoutLock(id)) {
      this.#checkIdle(known.plan, id, states)
      return
    }
    this.#checkLock(known.plan, id)
    this.#checkWindows(known.plan, states)
    if (state === 'running' || this.#redis.has(this.#key(id, ':todo'))) return
    for (const remodel of known.plan.remodels) {
      const at = states.get(remodel.id)!
      const may = remodel.when === 'always' || (state === 'failing' && remodel.when === 'independent')
      if (!may && (at === 'queued' || at === 'released' || at === 'waiting')) {
        this.report('no-new-start', `${id} is ${state}, but ${remodel.id} is still ${at} and would be started`)
      }
    }
  }

  #checkLock(plan: Plan, id: string): void {
    const base = `${this.#prefix}:{${plan.deployment}}`
    const holder = this.#redis.read(`${base}:lock`, 'hash')?.get('plan')
    if (holder !== id) this.report('one-holder', `${id} runs, but ${plan.deployment} is held by ${holder ?? 'no plan'}`)
  }

  /** Parked, or superseded and not settled yet. */
  #isWithoutLock(plan: string): boolean {
    const base = this.#key(plan, '').split(':plan:')[0]
    return this.#redis.read(`${base}:parked`, 'zset')?.has(plan) ?? false
  }

  /** Another plan that has the deployment is alone with it. */
  #checkIdle({ deployment }: Plan, id: string, states: Map<string, string>): void {
    const holder = this.#redis.read(`${this.#prefix}:{${deployment}}:lock`, 'hash')?.get('plan')
    if (holder === id) this.report('parked-idle', `${id} is parked and holds ${deployment}`)
    for (const [remodel, state] of states)
      if (state === 'running' || state === 'released')
        this.report('parked-idle', `${id} is parked, and ${remodel} is ${state}`)
  }

  #checkWindows(plan: Plan, states: Map<string, string>): void {
    for (const window of plan.windows) {
      const inside = plan.permits.filter((permit) => {
        if (!permit.windows.includes(window.name)) return false
        const of = plan.remodels
          .filter((remodel) => remodel.permit === permit.name)
          .map((remodel) => states.get(remodel.id)!)
        const begun = of.some((state) => state === 'done' || state === 'failed')
        return of.some((state) => state === 'released' || state === 'running' || (begun && !settled.has(state)))
      })
      if (inside.length > window.limit) {
        this.report(
          'windows',
          `${plan.id}: ${inside.length} permits of window ${window.name} are held, its limit is ${window.limit}`,
        )
      }
    }
  }

  #changed(effect: Effect): void {
    const attempt = `${effect.scope} ${effect.fence}`
    const by = this.#attempts.get(attempt) ?? effect.by
    this.#attempts.set(attempt, by)
    if (by !== effect.by) this.report('fence-shared', `${by} and ${effect.by} both changed ${attempt}`)
    const name = `${attempt} ${effect.what}`
    if (this.#effects.has(name)) this.report('effect-once', `${effect.what} was done twice under fence ${effect.fence}`)
    this.#effects.add(name)
    const last = this.#largest.get(effect.scope) ?? 0
    if (effect.fence < last) this.report('stale-effect', `${effect.what} was done under ${effect.fence} after ${last}`)
    this.#largest.set(effect.scope, effect.fence)
    const [op = '', id = ''] = effect.what.split(' ')
    this.#checkTime(op, effect.what)
    for (const { plan, remodels } of this.#plans.values()) {
      const remodel = remodels.get(id)
      const input = remodel?.input as { op?: string } | undefined
      if (remodel && input?.op === `${op} ${id}`) this.#checkNeeds(plan.id, remodel, 'is done')
    }
  }

  /**
   * Plans of a deployment are carried out one after the other: what belongs to one is not changed after
   * the next has begun to.
   */
  #checkTime(op: string, what: string): void {
    const [deployment = '', nth = ''] = op.split('.')
    const last = this.#plan.get(deployment) ?? 0
    if (Number(nth) < last) this.report('late-effect', `${what} was done after plan ${last} of ${deployment} began`)
    this.#plan.set(deployment, Math.max(last, Number(nth)))
  }

  #key(plan: string, part: string): string {
    const deployment = this.#plans.get(plan)?.plan.deployment ?? ''
    return `${this.#prefix}:{${deployment}}:plan:${plan}${part}`
  }
}

function planIn(key: string): string | undefined {
  return /\}:plan:([^:]+)/.exec(key)?.[1]
}
