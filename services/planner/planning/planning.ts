import { randomUUID } from 'node:crypto'
import type { Keeping, Kind, PlanOptions, ReleaseId, World } from '../../../kinds/contract/kind.ts'
import type { Stores } from '../../../kinds/contract/stores.ts'
import { deploymentOf, type KindRegistry } from '../../../kinds/registry.ts'
import type { CompiledIndex } from '../../../shared/compilation/compiled.ts'
import type { Durations } from '../../../shared/compilation/durations.ts'
import type { PrewarmHints } from '../../../shared/compilation/prewarm-hints.ts'
import type { Ledger, LockRecord, PlanRecord } from '../../../shared/ledger/ledger.ts'
import { noSuchDeployment } from '../../../shared/ledger/no-such-deployment.ts'
import { type Actor, actorText } from '../../../shared/model/actor.ts'
import type { ActualMaterial, Blueprint, Floorplan } from '../../../shared/model/material.ts'
import type { OrderOptions } from '../../../shared/model/order.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { type Holder, nameText, ReservedNames } from '../../../shared/model/reservation.ts'
import { StandingOrder, type Uploads } from '../../../shared/model/standing-order.ts'
import { impatient } from '../../../shared/provider/impatient.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Secrets } from '../../../shared/runtime/secrets.ts'
import { readInput } from '../../../shared/source/input.ts'
import { readDocument } from '../../../shared/source/reading.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { PlanningSessions } from '../housekeeping/planning-sessions.ts'
import { gated } from './gate.ts'
import type { LockWaiters } from './lock-waiters.ts'
import { optionsOf } from './options.ts'
import { prewarmFor } from './prewarming.ts'
import { Settling } from './reservations/settling.ts'
import { sealPlan } from './seal.ts'
import { StandingOrders } from './standing-orders.ts'

/** A caller that waits in line asks again this often, to show that it is still there. */
const askAgainMs = 1000
/** A parked plan that looks whether it still waits is through in this time. */
const lookMs = 15_000

interface SourceText {
  name: string
  content: string
}

/** A machine that has just been silent for longer has so long to answer once more. */
const doubtedMs = 250

/** A request for a plan: the texts as the user has them. */
export interface Order {
  manifest: SourceText
  cloudConfigs: readonly SourceText[]
  releases: readonly { name: string; version: string }[]
  options: Partial<OrderOptions>
  /** What the catalog had when this was ordered before. */
  uploads?: Uploads
}

interface Wanted {
  blueprint: Blueprint
  recorded: Floorplan
  /** Blob of the order that asks for it, or ''. */
  order: string
  /** Machines that an assembler has called silent. */
  doubted?: ReadonlySet<string> | undefined
  /** The one that asks for it. */
  action?: string | undefined
}

/** How an order is drawn that a deployment has already. */
interface Redraw extends Pick<Wanted, 'doubted' | 'action'> {
  options: Partial<PlanOptions>
  /** It is the newest one, and stays that: no version comes of it. */
  isNewest?: boolean
}

/** Who opens a plan, and why. */
interface Opening {
  /** Of the lock; sent again with the same one, a plan is opened once. */
  id?: string
  by: Actor
  message: string
  waitSeconds: number
  /** Ids of the materials that were lost, where the plan is a repair: it is refused where none is wanted any more. */
  lost?: readonly string[]
}

/** The walk from a document to a stored plan, and from there to work: architect, inspector, foreman, ledger. */
export class Planning {
  /** The orders that deployments were deployed by. */
  readonly orders: StandingOrders
  readonly #ledger: Ledger
  readonly #kinds: KindRegistry
  readonly #catalog: Catalog
  readonly #provider: Provider
  readonly #compiled: CompiledIndex
  readonly #durations: Durations
  readonly #prewarm: PrewarmHints
  readonly #sessions: PlanningSessions
  readonly #waiters: LockWaiters
  readonly #stores: Stores
  readonly #settling: Settling
  readonly #keeping: Keeping
  readonly #observer: string

  constructor(parts: {
    ledger: Ledger
    kinds: KindRegistry
    catalog: Catalog
    provider: Provider
    compiled: CompiledIndex
    durations: Durations
    prewarm: PrewarmHints
    waiters: LockWaiters
    stores: Stores
    secrets: Secrets
    /** The planner, as what its inspectors see names who saw it. */
    observer: string
  }) {
    this.#ledger = parts.ledger
    this.#kinds = parts.kinds
    this.#catalog = parts.catalog
    this.#provider = parts.provider
    this.#compiled = parts.compiled
    this.#durations = parts.durations
    this.#prewarm = parts.prewarm
    this.#sessions = new PlanningSessions(parts.ledger.redis, parts.ledger.settings)
    this.#waiters = parts.waiters
    this.#keeping = { blobs: parts.stores.blobs, secrets: parts.secrets }
    this.#stores = parts.stores
    this.#observer = parts.observer
    this.orders = new StandingOrders(parts.ledger, parts.stores.blobs, parts.secrets)
    this.#settling = new Settling(parts.ledger, parts.kinds)
  }

  /** Draws and stores a plan; changes nothing else. Throws `invalid-input` with all faults. */
  plan(order: Order): Promise<Plan> {
    return this.#sessions.during(() => this.#plan(order))
  }

  async #plan(order: Order, redraw: Redraw = { options: {} }): Promise<Plan> {
    const { options: more, isNewest = false, doubted, action } = redraw
    const document = await readDocument(order.manifest.name, order.manifest.content)
    const kind = this.#kinds.recognise(document)
    const options = { ...optionsOf(kind, order.options), ...more }
    const cloudConfigs = await Promise.all(order.cloudConfigs.map(({ name, content }) => readDocument(name, content)))
    const created = Object.fromEntries(order.releases.map(({ name, version }) => [name, version]))
    const seen = await this.#catalog.view(
      cloudConfigs,
      (releaseIds) => kind.chooses?.(document, { releaseIds, created }) ?? [],
      order.uploads,
    )
    const recorded = await this.#ledger.floorplan(deploymentOf(kind, document))
    const kept = (await kind.keep?.(document, this.#keeping)) ?? {}
    const blueprint = kind.architect(document, { ...seen, created, kept })
    await kind.check?.(document)
    const blob = isNewest ? '' : await this.orders.put(blueprint.deployment, standingOrder(order, seen))
    const wanted = { blueprint, recorded, order: blob, doubted, action }
    const drawn = this.#draw(kind, wanted, { ...options, remove: false })
    return drawn.catch((error) => {
      throw document.place(error)
    })
  }

  /**
   * Draws and stores the plan for an earlier order of a deployment, by default the one before the newest that ended
   * well: its documents, with the uploads that they meant then. Throws `not-found` where the version or one of
   * these is gone.
   */
  planRollback(deployment: string, to: number | undefined, options: Partial<OrderOptions>): Promise<Plan> {
    return this.#sessions.during(async () => {
      const { order, plan } = await this.orders.read(deployment, to ?? (await this.orders.before(deployment)))
      const proven = await this.orders.isDone(deployment, plan)
      return this.#plan({ ...order, options }, { options: { proven } })
    })
  }

  /**
   * Draws and stores the plan that makes anew what a deployment has lost, by its materials: a plan of its newest order,
   * which stays what it is. Machines that are doubted have a moment to answer. Throws `not-found` where no order of it
   * is kept.
   */
  planRepair(deployment: string, lost: readonly string[], doubted: ReadonlySet<string>): Promise<Plan> {
    return this.#sessions.during(async () => {
      const { order } = await this.orders.read(deployment)
      const again = { options: { proven: true, repairs: lost }, isNewest: true, doubted }
      return this.#plan({ ...order, options: {} }, again)
    })
  }

  /** Draws and stores the plan that takes a deployment away. */
  async planRemoval(deployment: string, options: Partial<OrderOptions> = {}): Promise<Plan> {
    const [recorded, name] = [await this.#ledger.floorplan(deployment), await this.#ledger.kindOf(deployment)]
    const kind = name === undefined ? await this.#kindByOwner(deployment) : this.#kinds.get(name)
    const wanted = { blueprint: kind.nothing(deployment), recorded, order: '' }
    return this.#draw(kind, wanted, { ...optionsOf(kind, options), remove: true })
  }

  /**
   * Draws and stores the plan of one of its kind's actions, upon what the inspector has just read. Throws
   * `invalid-input` for an input that the action does not take, `conflict` where the kind has no such action, and
   * `not-found` where it needs the newest order and none is kept.
   */
  async planAction(deployment: string, name: string, input: unknown): Promise<Plan> {
    const kindName = await this.#ledger.kindOf(deployment)
    if (kindName === undefined) throw await noSuchDeployment(this.#ledger, deployment)
    const kind = this.#kinds.get(kindName)
    const action = kind.actions?.[name]
    if (!action) throw new RemodelError('conflict', `${deployment} is of kind ${kindName}, which has no action ${name}`)
    const order = readInput(action.input, input, `this is not what action ${name} takes`)
    if ('options' in action) return this.#planNewest(deployment, name, action.options(order))
    const recorded = await this.#ledger.floorplan(deployment)
    const blueprint = kind.nothing(deployment)
    const { materials, observations } = await kind.inspector(blueprint, this.#world(recorded))
    const seen = { ...recorded, materials }
    return this.#ledger.store(sealPlan(action.plan(seen, order, observations), blueprint, seen, name))
  }

  /** The newest order once more. What ended well is not tried out again. */
  #planNewest(deployment: string, action: string, options: Partial<PlanOptions>): Promise<Plan> {
    return this.#sessions.during(async () => {
      const { order, plan } = await this.orders.read(deployment)
      const proven = await this.orders.isDone(deployment, plan)
      return this.#plan({ ...order, options: {} }, { options: { proven, ...options }, isNewest: true, action })
    })
  }

  #world(recorded: Floorplan): World {
    return {
      recorded,
      provider: this.#provider,
      compiled: this.#compiled,
      durations: this.#durations,
      stores: this.#stores,
      observer: this.#observer,
    }
  }

  /**
   * The kind of a deployment that no plan names, by its machines and disks: what Redis has forgotten can be taken away.
   * Throws `not-found` where it has none.
   */
  async #kindByOwner(deployment: string): Promise<Kind> {
    const owner = `deployment/${deployment}`
    const found = [...(await this.#provider.listVms({ owner })), ...(await this.#provider.listDisks({ owner }))]
    const kind = this.#kinds.ofWhatStands(found.map(({ ownership }) => ownership))
    if (!kind) throw await noSuchDeployment(this.#ledger, deployment)
    return kind
  }

  /**
   * Carries out a stored plan, exactly as it was stored. Throws `floorplan-moved` where something changed since it was
   * drawn, `claimed` where another deployment holds an exclusive name that it needs, `locked` where another plan holds
   * the deployment for longer than `waitSeconds`.
   */
  async apply(id: string, lock: Opening): Promise<PlanRecord> {
    const deployment = await this.#ledger.deploymentOfPlan(id)
    const began = performance.now()
    let waiter = lock.waitSeconds > 0 ? randomUUID() : ''
    for (let settled = false; ; ) {
      const opened = await this.#ledger.open(deployment, id, lock, waiter)
      if (opened.status === 'ok') return this.#ledger.planRecord(deployment, id)
      if (opened.status === 'state') {
        throw new RemodelError('conflict', `plan ${id} is ${opened.found}: a plan is applied once; plan again`)
      }
      if (opened.status === 'refused') {
        throw new RemodelError('cancelled', `${deployment} is not to be mended any more: plan ${id} is not carried out`)
      }
      if (opened.status === 'moved') throw await this.#moved(deployment, id, opened.found)
      if (opened.status === 'claimed') {
        if (settled) throw claimedBy(id, opened.holders)
        // Names of a plan that has ended may not have been given back yet.
        await this.#settling.settleEnded()
        settled = true
        continue
      }
      const until = began + Math.max(lock.waitSeconds * 1000, opened.looks ? lookMs : 0)
      if (performance.now() >= until) throw lockedBy(deployment, opened.lock)
      waiter ||= randomUUID()
      await this.#waiters.wait(waiter, Math.min(askAgainMs, until - performance.now()))
    }
  }

  /** The plan that was opened under this id of a lock, whatever has become of it; null where there is none. */
  openedAs(deployment: string, lock: string): Promise<PlanRecord | null> {
    return this.#ledger.openedAs(deployment, lock)
  }

  async #draw(
    kind: Kind,
    { blueprint, recorded, order, doubted = new Set(), action }: Wanted,
    options: PlanOptions,
  ): Promise<Plan> {
    const world = { ...this.#world(recorded), provider: impatient(this.#provider, doubted, doubtedMs) }
    const { materials, observations } = await kind.inspector(blueprint, world)
    const floorplan: Floorplan = { ...recorded, materials }
    const reserved = await this.#reserved(kind, blueprint, materials)
    const draft = await kind.foreman(blueprint, floorplan, options, { observations, reserved })
    const plan = sealPlan(gated(draft, options), blueprint, floorplan, action)
    prewarmFor(plan, this.#prewarm)
    return this.#ledger.store(plan, undefined, order)
  }

  /** The exclusive names that other deployments hold, where this blueprint may take some. */
  async #reserved(kind: Kind, blueprint: Blueprint, seen: readonly ActualMaterial[]): Promise<ReservedNames> {
    await this.#settling.looked(blueprint.deployment, kind, seen)
    const spaces = kind.spaces?.(blueprint) ?? []
    if (spaces.length === 0) return new ReservedNames()
    await this.#settling.settleEnded()
    return this.#ledger.names.reserved(spaces, blueprint.deployment)
  }

  async #moved(deployment: string, id: string, now: number): Promise<RemodelError> {
    const { floorplan } = await this.#ledger.plan(deployment, id)
    return new RemodelError(
      'floorplan-moved',
      `plan ${id} was drawn against version ${floorplan.version} of the floorplan of ${deployment}, which is now at version ${now}: plan again`,
      { details: { planned: floorplan.version, found: now } },
    )
  }
}

/** An order with what it left open, as it was when the plan was drawn. */
function standingOrder({ options, ...order }: Order, seen: Awaited<ReturnType<Catalog['view']>>): StandingOrder {
  const ids = (uploads: readonly ReleaseId[]) => uploads.map(({ name, version }) => ({ name, version }))
  const cloudConfigs = seen.configs.cloud.map(({ file, text }) => ({ name: file, content: text }))
  const uploads = { releases: ids(seen.releases), stemcells: ids(seen.stemcells) }
  return StandingOrder.parse({ ...order, options, cloudConfigs, uploads })
}

function lockedBy(deployment: string, lock: LockRecord): RemodelError {
  const message = lock.message ? `: ${lock.message}` : ''
  const [who, since] = [actorText(lock.holder), new Date(lock.since).toISOString()]
  const held =
    lock.plan === '' ? `waited for by ${who} since ${since}` : `held by ${who} since ${since} for plan ${lock.plan}`
  return new RemodelError('locked', `${deployment} is ${held}${message}`, { details: { lock } })
}

function claimedBy(plan: string, holders: readonly Holder[]): RemodelError {
  const held = holders.map(({ name, deployment, plan: by }) => {
    const whose = by === '' ? '' : ` (plan ${by})`
    return `${nameText(name)} is held by deployment ${deployment}${whose}`
  })
  return new RemodelError('claimed', `plan ${plan} cannot be carried out: ${held.join('; ')}: plan again`, {
    details: { holders },
  })
}
