import { Ledger } from '../../shared/ledger/ledger.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { person } from '../support/actors.ts'
import { type DrawnPlan, drawPlan } from './plans.ts'
import type { Random } from './random.ts'
import type { RedisClient } from './redis/client.ts'
import { asRedis, settings } from './services.ts'
import { sleep } from './world.ts'

/** A plan and what was done with it. */
export interface Order extends DrawnPlan {
  stored: boolean
  cancelled: boolean
  /** What came in between while it was parked. */
  between?: Order & { opened: boolean }
}

/** What is known of one deployment's orders outside any process: the order itself is kept by a queue. */
export interface Journal {
  deployment: string
  /** How many plans it shall get, one after the other. */
  plans: number
  drawn: Order[]
  /** How many of them have ended. */
  ended: number
  /** Another client with the same order begins as soon as a plan is drawn. */
  wakeTwin?: () => void
}

interface Events {
  drawn(drawn: DrawnPlan): void
  /** The floorplan is another than the plan was drawn against: drawn again. */
  moved(plan: Plan): void
}

const final = new Set(['done', 'failed', 'cancelled'])

/**
 * A client that orders deploys: draws a plan against the floorplan, stores it, opens it, decides approvals, cancels,
 * and waits for the end. Goes on where it was after a crash. `twin` is the same order delivered a second time.
 */
export async function orderDeploys(
  { journal, twin }: { journal: Journal; twin: boolean },
  redis: RedisClient,
  random: Random,
  events: Events,
) {
  const ledger = new Ledger(asRedis(redis), settings)
  const { deployment } = journal
  while (journal.ended < journal.plans) {
    try {
      const nth = journal.ended
      let current = journal.drawn[nth]
      if (twin && !current) {
        await new Promise<void>((resolve) => {
          journal.wakeTwin = resolve
        })
        await sleep(1)
        continue
      }
      if (!current) {
        const { version } = await ledger.floorplan(deployment)
        const drawn = drawPlan(
          { deployment, version, now: Date.now() },
          `${2 * nth}`,
          random.fork(`${deployment} ${nth}`),
        )
        current = { ...drawn, stored: false, cancelled: false }
        events.drawn(current)
        journal.drawn[nth] = current
        journal.wakeTwin?.()
      }
      const { plan } = current
      if (twin || !current.stored) {
        const stored = await ledger.store(plan, Date.now())
        // Came too late: the twin stored another plan, which is not applied.
        if (stored.id !== plan.id) {
          await sleep(200)
          continue
        }
        current.stored = true
      }
      const answer = await ledger.open(deployment, plan.id, { by: person('sim'), message: `plan ${nth}` })
      if (answer.status === 'moved') {
        delete journal.drawn[nth]
        events.moved(plan)
        continue
      }
      if (answer.status === 'locked' && answer.lock.plan !== plan.id) {
        await sleep(100)
        continue
      }
      if (twin) {
        while (journal.ended === nth) await sleep(200)
        continue
      }
      if (!(await follow(ledger, plan.id, current))) continue
      journal.ended = nth + 1
    } catch (error) {
      // Redis refused or the request was superseded by our own twin: orders are repeated until they are through.
      const current = journal.drawn[journal.ended]
      if (current && error instanceof RemodelError && error.code === 'not-found') current.stored = false
      await sleep(100)
    }
  }

  /** Waits for the end; false where the plan was never opened. */
  async function follow(ledger: Ledger, id: string, current: Order): Promise<boolean> {
    const { cancelAfterMs, approvals, force } = current.intentions
    const openedAt = Date.now()
    for (;;) {
      const { state } = await ledger.planRecord(deployment, id)
      if (final.has(state)) {
        // Opened just before a crash, it may run though this is not known here.
        if (current.between) await followBetween(ledger, current)
        return true
      }
      if (state === 'stored') return false
      if (cancelAfterMs !== null && !current.cancelled && Date.now() - openedAt >= cancelAfterMs) {
        await ledger.cancel(deployment, id, person('sim'), force)
        current.cancelled = true
      }
      if (state === 'parked' && current.intentions.between && !current.between?.opened)
        await comeBetween(ledger, current)
      if (approvals.size > 0) await approve(ledger, id, approvals)
      await sleep(150)
    }
  }

  /** A repair that does not wait until a parked plan is over. */
  async function comeBetween(ledger: Ledger, parked: Order): Promise<void> {
    if (!parked.between) {
      const { version } = await ledger.floorplan(deployment)
      // One that the floorplan moved under is drawn again, as another plan.
      const nth = `${2 * journal.ended + 1}.${version}`
      const drawn = drawPlan({ deployment, version, now: Date.now() }, nth, random.fork(`${deployment} between ${nth}`))
      events.drawn(drawn)
      parked.between = { ...drawn, stored: false, cancelled: false, opened: false }
    }
    const { between } = parked
    between.intentions.between = false
    const { id } = await ledger.store(between.plan, Date.now())
    if (id !== between.plan.id) return
    const { status } = await ledger.open(deployment, id, { by: person('sim'), message: 'in between' })
    if (status === 'ok' || status === 'state') between.opened = true
    else if (status === 'moved') delete parked.between
    if (between.opened) await followBetween(ledger, parked)
  }

  /** To its end, or until Redis has forgotten it. */
  async function followBetween(ledger: Ledger, parked: Order): Promise<void> {
    const between = parked.between!
    await follow(ledger, between.plan.id, between).catch((error) => {
      if (!(error instanceof RemodelError) || error.code !== 'not-found') throw error
      delete parked.between
    })
  }

  async function approve(ledger: Ledger, id: string, approvals: Map<string, boolean | null>): Promise<void> {
    // What Redis forgot is decided again: an approval that waits once more is seen by the person who gave it.
    for (const record of await ledger.remodelRecords(deployment, id)) {
      const decision = approvals.get(record.id)
      if (record.state !== 'waiting' || decision === null || decision === undefined) continue
      await ledger.decide(deployment, id, { remodel: record.id, approve: decision, by: person('sim') })
    }
  }
}
