import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { KindRegistry } from '../../../kinds/registry.ts'
import { alarmsChannel } from '../../../shared/ledger/keys.ts'
import type { Ledger, PlanRecord } from '../../../shared/ledger/ledger.ts'
import { Overview } from '../../../shared/ledger/overview.ts'
import type { Actor } from '../../../shared/model/actor.ts'
import { Alarm, type HealingMode, type Loss } from '../../../shared/model/healing.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { listen } from '../../../shared/runtime/channel.ts'
import type { Division } from '../../../shared/runtime/division.ts'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { type Loop, startLoop } from '../../../shared/runtime/loop.ts'
import { Ticks } from '../../../shared/runtime/ticks.ts'
import type { Planning } from '../planning/planning.ts'
import type { Verdicts } from '../planning/verdicts.ts'
import { rule } from './guards.ts'

/** A machine can go without an alarm: every deployment that is mended is looked at this often. */
const lookMs = 10_000
/** How long the alarm that a machine is silent counts, and how often its deployment is looked at meanwhile. */
const alarmMs = 5000
const againMs = 500
const atOnce = 8
/** Of so many plans of a deployment the last one is looked for that was a deploy, a repair or a removal. */
const lookedThrough = 200
/** To look, to plan and to open; the plan itself takes as long as it takes. */
const limitMs = 120_000

const caretaker: Actor = { kind: 'caretaker', name: 'remodel', via: 'unknown' }

export interface CaretakerParts {
  ledger: Ledger
  kinds: KindRegistry
  planning: Pick<Planning, 'planRepair' | 'apply'>
  verdicts: Pick<Verdicts, 'losses'>
  planners: Pick<Division, 'falls'>
  subscriber: Redis
  log: Logger
}

/**
 * Mends deployments between deploys, those whose operator wants that and that fall to this planner:
 *
 *   alarm of an assembler, or the next look --> what is lost now? --> guards --> plan --> opened like any other
 *
 * An alarm is only a reason to look: what is mended is what this planner sees itself. A machine that is gone is a fact
 * of its provider. One that is silent has to be so to both, the assembler that watches it and this planner, so that one
 * slow process takes nothing for lost. Such an alarm comes once in seconds, and may find the deployment held by another
 * plan: it is looked at again while the alarm counts. The script that opens the plan asks once more whether it is
 * wanted.
 */
export class Caretaker {
  readonly #parts: CaretakerParts
  readonly #overview: Overview
  readonly #ticks: Ticks
  /** Deployment -> machine -> when an assembler said that it is silent. */
  readonly #silent = new Map<string, Map<string, number>>()
  readonly #loops: Loop[] = []

  constructor(parts: CaretakerParts) {
    this.#parts = parts
    this.#overview = new Overview(parts.ledger)
    const failed = (deployment: string, error: unknown) =>
      parts.log.warn({ deployment, err: toError(error) }, 'what is lost could not be mended; it is tried again')
    this.#ticks = new Ticks({ width: atOnce, limitMs, failed })
  }

  async start(): Promise<void> {
    const { ledger, subscriber } = this.#parts
    await listen(subscriber, alarmsChannel(ledger.settings), Alarm, (alarm) => this.#heard(alarm))
    // Redis may be away: the next look finds it back.
    const look = { everyMs: lookMs, turn: () => this.#look(), failed: () => {}, atOnce: true }
    const again = { everyMs: againMs, turn: async () => this.#lookAgain(), failed: () => {} }
    this.#loops.push(startLoop(look), startLoop(again))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()))
    await this.#ticks.stop()
  }

  #heard({ deployment, machine, is }: Alarm): void {
    if (!this.#parts.planners.falls(deployment)) return
    if (is === 'silent') {
      const machines = this.#silent.get(deployment) ?? new Map<string, number>()
      this.#silent.set(deployment, machines.set(machine, performance.now()))
    }
    this.#offer(deployment)
  }

  async #look(): Promise<void> {
    for (const deployment of await this.#parts.ledger.healings.deployments()) {
      if (this.#parts.planners.falls(deployment)) this.#offer(deployment)
    }
  }

  #lookAgain(): void {
    for (const deployment of [...this.#silent.keys()]) {
      if (this.#silentOf(deployment).size > 0) this.#offer(deployment)
      else this.#silent.delete(deployment)
    }
  }

  #offer(deployment: string): void {
    this.#ticks.offer(deployment, () => this.#mend(deployment))
  }

  async #mend(deployment: string): Promise<void> {
    const { ledger, kinds, planning, verdicts, log } = this.#parts
    const { mode, repairs, waits } = await ledger.healings.of(deployment)
    if (mode === 'off' || (await ledger.lock(deployment))) return
    const name = await ledger.kindOf(deployment)
    const kind = name === undefined ? undefined : kinds.find(name)
    if (!kind) return
    const doubted = this.#silentOf(deployment)
    const { losses, of } = await verdicts.losses(deployment, kind, doubted)
    const sure = losses.filter(({ is, machine }) => is === 'gone' || doubted.has(machine))
    const isEach = kind.mendsEach === true
    const newest = sure.length === 0 ? null : await this.#newestOf(deployment)
    const ruling = rule({ losses: sure, of, newest, isEach }, repairs, await ledger.time())
    const { mends } = ruling
    const plan = mends.length === 0 ? null : await this.#draw(deployment, { mode, doubted, mends })
    const kept = plan && 'why' in plan ? plan : ruling.waits
    if (JSON.stringify(kept) !== JSON.stringify(waits)) {
      await ledger.healings.note(deployment, kept)
      if (kept) log.warn({ deployment }, kept.why)
    }
    if (!plan || 'why' in plan || plan.remodels.length === 0) return
    const message = `mends ${phrase(mends)}`
    log.info({ deployment, plan: plan.id }, message)
    await planning
      .apply(plan.id, { by: caretaker, message, waitSeconds: 0, lost: mends.map(({ subject }) => subject) })
      .catch((error) => {
        // Another plan came first, or a person's word: it is looked at again.
        if (!(error instanceof RemodelError) || !passing.has(error.code)) throw error
      })
  }

  /**
   * The plan that says whether the deployment is as it was ordered: the last one that was begun, or, where that was an
   * action and does not wait, the last one that was none. Null where none is known.
   */
  async #newestOf(deployment: string): Promise<PlanRecord | null> {
    const plans = await this.#overview.plans(lookedThrough, deployment)
    const begun = plans.filter(({ startedAt }) => startedAt !== null)
    return (begun[0]?.state === 'parked' ? begun[0] : begun.find(({ action }) => action === null)) ?? null
  }

  /** The plan, or why a person has to say more first: it is only proposed, or cannot be drawn. */
  async #draw(
    deployment: string,
    { mode, doubted, mends }: { mode: HealingMode; doubted: ReadonlySet<string>; mends: readonly Loss[] },
  ): Promise<Plan | { why: string; again: null }> {
    try {
      const lost = mends.map(({ subject }) => subject)
      const plan = await this.#parts.planning.planRepair(deployment, lost, doubted)
      if (mode === 'apply' || plan.remodels.length === 0) return plan
      return { why: `${phrase(mends)}: remodel apply ${plan.id} mends it`, again: null }
    } catch (error) {
      if (!(error instanceof RemodelError) || error.code === 'infrastructure') throw error
      return { why: error.faults[0]?.message ?? error.message, again: null }
    }
  }

  /** Machines that an assembler has called silent a moment ago. */
  #silentOf(deployment: string): Set<string> {
    const now = performance.now()
    const machines = [...(this.#silent.get(deployment) ?? [])]
    return new Set(machines.flatMap(([machine, at]) => (now - at < alarmMs ? [machine] : [])))
  }
}

const passing: ReadonlySet<string> = new Set(['locked', 'floorplan-moved', 'conflict', 'cancelled', 'claimed'])

/** `<material>: its machine is gone, and 3 more`. */
function phrase([first, ...more]: readonly Loss[]): string {
  const how = first!.is === 'gone' ? 'is gone' : 'does not answer'
  return `${first!.subject}: its machine ${how}${more.length === 0 ? '' : `, and ${more.length} more`}`
}
