import type { Logger } from 'pino'
import type { Kind } from '../../../../kinds/contract/kind.ts'
import type { KindRegistry } from '../../../../kinds/registry.ts'
import type { Ledger } from '../../../../shared/ledger/ledger.ts'
import { run } from '../../../../shared/ledger/pipeline.ts'
import type { ActualMaterial } from '../../../../shared/model/material.ts'
import { type ExclusiveName, nameKey, nameText, type Reservation } from '../../../../shared/model/reservation.ts'
import type { OpenGround } from '../../../../shared/reservation/names.ts'
import { failpoint } from '../../../../shared/runtime/failpoint.ts'

/**
 * A planner that took names for a plan and did not open it within this time is gone; if it is not, it takes them again.
 */
const usualSeconds = 60

const over = new Set(['done', 'failed', 'cancelled'])

/**
 * Gives exclusive names back. While a plan is open it holds all that it needs. When it has ended, names are held
 * by what is recorded, and by what the plan began to make without recording an end: that may be there, until a
 * later plan, which looks first, ends well. Everything is derived from plans and floorplans, so it does not
 * matter which planner does it, how often, or where the last one was interrupted. A plan that is settled is
 * listed to be moved to the blobstore.
 */
export class Settling {
  readonly #ledger: Ledger
  readonly #kinds: KindRegistry
  readonly #log: Logger | undefined
  readonly #openWithinSeconds: number

  constructor(ledger: Ledger, kinds: KindRegistry, more: { log?: Logger; openWithinSeconds?: number } = {}) {
    this.#ledger = ledger
    this.#kinds = kinds
    this.#log = more.log
    this.#openWithinSeconds = more.openWithinSeconds ?? usualSeconds
  }

  /** Settles plans that have ended, and takes names back that were taken for a plan that was not opened. */
  async settleEnded(): Promise<void> {
    const now = Number((await this.#ledger.redis.time())[0])
    await this.#ledger.names.capTaken(now)
    const grounds = await this.#ledger.names.open()
    if (grounds.length === 0) return
    const pipeline = this.#ledger.redis.pipeline()
    for (const { deployment, plan } of grounds) {
      pipeline.hmget(`${this.#ledger.base(deployment)}:plan:${plan}`, 'state', 'round', 'kind')
    }
    const plans = await run<[string | null, string | null, string | null][]>(pipeline)
    for (const [i, ground] of grounds.entries()) {
      const [state, round, kind] = plans[i]!
      if (state === null || (round ?? '0') !== ground.round) await this.#ledger.names.giveUp(ground)
      else if (over.has(state)) await this.#settle(ground, state, kind ?? '')
      else if (state === 'stored' && now - ground.since > this.#openWithinSeconds) {
        await this.#ledger.giveBack(ground)
      }
    }
  }

  /**
   * Takes over the names of deployments that stood before there were reservations. Where two of them use one name
   * already, the first keeps it, and a warning says so: whichever changes next is given another one.
   */
  async takeOver(): Promise<void> {
    const known = await this.#ledger.names.known()
    for (const deployment of await this.#ledger.deployments()) {
      if (known.has(deployment)) continue
      const [newest] = await this.#ledger.planIds(deployment, 1)
      const lock = await this.#ledger.lock(deployment)
      // A plan that runs now may make more: it is settled when it has ended, as if it had taken names.
      if (lock) await this.#ledger.names.hold({ deployment, why: 'plan', plan: lock.plan, round: '0' }, [])
      if (newest === undefined) continue
      await this.#listOld(deployment)
      const kind = this.#kinds.find((await this.#ledger.planRecord(deployment, newest)).kind)
      if (kind) await this.#holdRecorded(deployment, kind)
    }
  }

  /** Names that `materials`, as they were looked at now, do not use are free: doubts about them are over. */
  async looked(deployment: string, kind: Kind, materials: readonly ActualMaterial[]): Promise<void> {
    const ground = { deployment, why: 'doubt' } as const
    const doubted = await this.#ledger.names.heldOn(ground)
    if (doubted.length === 0) return
    const [{ version }, lock] = await Promise.all([this.#ledger.floorplan(deployment), this.#ledger.lock(deployment)])
    if (lock) return
    const used = new Set(holdingsOf(kind, materials).map(nameKey))
    const left = doubted.filter((name) => used.has(nameKey(name)))
    await this.#ledger.names.replace(ground, left, version)
  }

  /** Plans that ended before plans were moved to the blobstore. */
  async #listOld(deployment: string): Promise<void> {
    for (const plan of await this.#ledger.planIds(deployment, 0)) {
      const state = await this.#ledger.redis.hget(`${this.#ledger.base(deployment)}:plan:${plan}`, 'state')
      if (state !== null && over.has(state)) await this.#ledger.retention.listEnded(deployment, plan)
    }
  }

  async #settle(ground: OpenGround, state: string, kindName: string): Promise<void> {
    const { deployment, plan } = ground
    const { names } = this.#ledger
    const kind = this.#kinds.find(kindName)
    // Only a planner that has loaded the extension can tell what its materials use.
    if (!kind) return
    const { version, held } = await this.#holdRecorded(deployment, kind)
    await failpoint('reservations.recorded')
    const doubt = { deployment, why: 'doubt' } as const
    const before = await names.heldOn(doubt)
    const doubted = state === 'done' ? [] : [...before, ...(await this.#doubted(deployment, plan, held))]
    if (before.length + doubted.length > 0) await names.replace(doubt, doubted, version)
    await this.#ledger.retention.listEnded(deployment, plan)
    await names.giveUp(ground)
  }

  async #holdRecorded(deployment: string, kind: Kind): Promise<{ version: number; held: Set<string> }> {
    const { version, materials } = await this.#ledger.floorplan(deployment)
    const holdings = holdingsOf(kind, materials)
    const twice = await this.#ledger.names.replace({ deployment, why: 'stands' }, holdings, version)
    for (const { name, deployment: other } of twice) {
      this.#log?.warn({ deployment, other }, `${nameText(name)} is used by ${deployment} and ${other}`)
    }
    return { version, held: new Set(holdings.map(nameKey)) }
  }

  /** Names of what a plan began to make and never recorded. */
  async #doubted(deployment: string, plan: string, held: ReadonlySet<string>): Promise<ExclusiveName[]> {
    // Of a plan that was moved out of Redis, the doubts were recorded before.
    const reservations = await this.#ledger.reservations(deployment, plan)
    const open = reservations.filter((name) => !held.has(nameKey(name)))
    if (open.length === 0) return []
    const begun = new Set<string>()
    for await (const page of this.#ledger.remodelPages(deployment, plan)) {
      // An attempt that was given back, or waits, is not counted; its fence was drawn.
      for (const { remodel, run } of page) if (Number(run.fence ?? 0) > 0) begun.add(remodel.material)
    }
    return open.filter(({ material }) => begun.has(material))
  }
}

function holdingsOf(kind: Kind, materials: readonly ActualMaterial[]): Reservation[] {
  return kind.holdings?.(materials) ?? []
}
