import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../shared/api/client.ts'
import type { PlanView } from '../../shared/api/schemas/plan.ts'
import { RemodelError, toError } from '../../shared/runtime/errors.ts'
import type { Random } from '../sim/random.ts'
import { planSmall, type SmallOptions } from '../support/small.ts'

/** What a user wants of a deployment: these options, or that it be gone. */
export type Wish = SmallOptions | 'gone'

export interface Outcome {
  deployment: string
  converged: boolean
  /** Plans that were applied for it. */
  plans: number
  ms: number
  /** Why earlier tries did not end well, and what it hung on where it did not converge. */
  reasons: string[]
}

/** Answers that say: not now, ask again. A user asks the next planner. */
const passing = new Set(['unavailable', 'deadline', 'infrastructure'])
const patienceMs = 8000

/**
 * A user of one deployment who does what a person does: plans, applies, looks how it goes; plans again where the
 * floorplan moved, the plan failed, or is not known any more; waits where another user holds the deployment; asks
 * another planner where one does not answer.
 */
export class User {
  readonly deployment: string
  readonly #clients: Client[]
  readonly #random: Random

  constructor(deployment: string, clients: Client[], random: Random) {
    this.deployment = deployment
    this.#clients = clients
    this.#random = random
  }

  /** Works on a wish until it is so. `until` (performance.now()) may move while it works. */
  fulfil(wish: Wish, until: () => number): Promise<Outcome> {
    if (wish === 'gone') return this.remove(until)
    const { stemcell } = wish
    const draw = async (client: Client) => {
      // Each time: a fail-over may have taken the upload back.
      if (stemcell !== undefined) await client.addStemcell({ name: 'local', os: 'local', version: stemcell })
      return planSmall(client, { ...wish, name: this.deployment })
    }
    return this.work(draw, until)
  }

  /** What was never there is gone. */
  remove(until: () => number): Promise<Outcome> {
    return this.work((client) => client.planRemoval(this.deployment), until, true)
  }

  /**
   * Has plans drawn and carried out until one is done or has nothing to do; with `absent` also where
   * there is no deployment.
   */
  async work(draw: (client: Client) => Promise<PlanView>, until: () => number, absent = false): Promise<Outcome> {
    const started = performance.now()
    const outcome: Outcome = { deployment: this.deployment, converged: false, plans: 0, ms: 0, reasons: [] }
    let hangs = ''
    while (!outcome.converged && performance.now() < until()) {
      try {
        hangs = 'planning'
        const { plan } = await this.ask(draw)
        if (plan.remodels.length === 0) {
          outcome.converged = true
          break
        }
        hangs = `applying ${plan.id}`
        if (!(await this.#apply(plan.id, outcome, until))) continue
        outcome.plans += 1
        hangs = `plan ${plan.id}`
        const ended = await this.#settled(plan.id, until)
        if (ended.state === 'done') outcome.converged = true
        else {
          outcome.reasons.push(`plan ${plan.id} ${ended.state}: ${ended.why}`)
          await sleep(300)
        }
      } catch (error) {
        if (absent && error instanceof RemodelError && error.code === 'not-found') outcome.converged = true
        else {
          outcome.reasons.push(`${hangs}: ${codeOf(error)}: ${toError(error).message.slice(0, 300)}`)
          await sleep(200)
        }
      }
    }
    if (!outcome.converged) outcome.reasons.push(`gave up at: ${hangs}`)
    outcome.ms = Math.round(performance.now() - started)
    return outcome
  }

  /** Asks planners in turn until one answers; throws what is no passing trouble, or after twenty tries. */
  async ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
    for (let n = 0; ; n++) {
      try {
        return await withPatience(question(this.#random.pick(this.#clients)))
      } catch (error) {
        if (!passing.has(codeOf(error)) || n >= 20) throw error
        await sleep(100 + 50 * n)
      }
    }
  }

  /** True where the plan runs (or has ended) now; false where another has to be drawn. */
  async #apply(plan: string, outcome: Outcome, until: () => number): Promise<boolean> {
    for (let n = 0; ; n++) {
      try {
        await withPatience(this.#random.pick(this.#clients).apply(plan, { waitSeconds: 2 }))
        return true
      } catch (error) {
        const code = codeOf(error)
        if (code === 'floorplan-moved' || code === 'not-found') return false
        if (code === 'locked') {
          if (n === 0) outcome.reasons.push(`plan ${plan}: locked`)
          if (n > 30 || performance.now() >= until()) return false
          continue
        }
        // An answer that was lost: a plan is applied once, so it says `conflict` where it runs already.
        if (code === 'conflict') return true
        if (!passing.has(code) || n > 30) throw error
        await sleep(200)
      }
    }
  }

  async #settled(plan: string, until: () => number): Promise<{ state: string; why: string }> {
    for (;;) {
      const { status } = await this.ask((client) => client.planView(plan))
      if (['done', 'failed', 'cancelled'].includes(status.state)) {
        return {
          state: status.state,
          why: status.errors.map((e) => `${e.remodel}: ${e.code}: ${e.message}`).join('; '),
        }
      }
      // A replica that took over may not have heard that it was applied: a person sees that and applies it again.
      if (status.state === 'stored') return { state: 'stored', why: 'it is as if it had never been applied' }
      if (performance.now() >= until()) throw new Error(`${plan} is ${status.state}: ${JSON.stringify(status.counts)}`)
      await sleep(150)
    }
  }
}

/** A planner that is frozen does not answer; a person does not wait for it as long as a program would. */
async function withPatience<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RemodelError('deadline', 'no answer')), patienceMs)
  })
  answer.catch(() => {})
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

function codeOf(error: unknown): string {
  return error instanceof RemodelError ? error.code : 'unknown'
}

/** The next wish of this user: a change of the deployment, or its end. */
export function nextWish(before: Wish, random: Random, nextStemcell: () => string, net: number): Wish {
  if (before !== 'gone' && random.chance(0.12)) return 'gone'
  const actual: SmallOptions =
    before === 'gone' ? { net, instances: random.int(1, 3), stemcell: '1', front: random.chance(0.5) } : before
  const next: SmallOptions = {
    ...actual,
    canaries: random.int(0, 1),
    maxInFlight: random.int(1, 4),
    vmStrategy: random.pick(['delete-create', 'create-swap-delete']),
    reuse: random.chance(0.7),
  }
  const what = random.next()
  // A stemcell of its own each time, so that there is always something to compile.
  if (what < 0.55) next.stemcell = nextStemcell()
  else if (what < 0.8) next.greeting = `hello ${random.int(1, 1e6)}`
  else next.instances = random.int(1, 5)
  return next
}
