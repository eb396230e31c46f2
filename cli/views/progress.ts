import type { Event } from '../../shared/api/schemas/event.ts'
import type { Plan, Remodel } from '../../shared/model/plan.ts'

export interface Running {
  id: string
  title: string
  since: number
  /** What it says it is doing. */
  phrase: string
  attempt: number
  /** Waits for a person or a signal instead of a worker. */
  waiting: boolean
}

export interface StageTime {
  name: string
  done: number
  total: number
  /** First start and last end of its remodels. */
  from: number | undefined
  to: number | undefined
}

/** Events of a plan, one line each. */
export type Happening =
  | { kind: 'phrase'; at: number; title: string; phrase: string }
  | { kind: 'waiting'; at: number; title: string; phrase: string; remodel: string }
  | { kind: 'done'; at: number; title: string; ms: number }
  | { kind: 'failed'; at: number; title: string; ms: number | undefined; message: string; code: string; log: string }
  | { kind: 'retried'; at: number; title: string; message: string; attempt: number }
  | { kind: 'plan'; at: number; type: Event['type']; message: string }

/** How far a plan is, kept up to date by its events. Holds no clock and writes nothing. */
export class Progress {
  readonly plan: Plan
  readonly running = new Map<string, Running>()
  readonly total: number
  done = 0
  failed = 0
  startedAt: number | undefined
  readonly #remodels: Map<string, Remodel>
  readonly #stages: Map<string, StageTime>
  readonly #startedAt = new Map<string, number>()

  constructor(plan: Plan) {
    this.plan = plan
    const shown = plan.remodels.filter((remodel) => remodel.action !== 'barrier')
    this.#remodels = new Map(plan.remodels.map((remodel) => [remodel.id, remodel]))
    this.total = shown.length
    this.#stages = new Map(
      [...Map.groupBy(shown, (remodel) => remodel.stage)].map(([name, group]) => [
        name,
        { name, done: 0, total: group.length, from: undefined, to: undefined },
      ]),
    )
  }

  get stages(): StageTime[] {
    return [...this.#stages.values()]
  }

  /** Takes an event in; answers with what there is to tell, if anything. Barriers are silent. */
  take(event: Event): Happening | undefined {
    if (event.remodel === undefined) {
      if (event.type === 'plan.started') this.startedAt = event.at
      return { kind: 'plan', at: event.at, type: event.type, message: event.message ?? '' }
    }
    const remodel = this.#remodels.get(event.remodel)
    if (!remodel || remodel.action === 'barrier') return undefined
    return this.#takeRemodel(event, remodel)
  }

  #takeRemodel(event: Event, remodel: Remodel): Happening | undefined {
    const { at } = event
    const { title, id } = remodel
    const message = event.message ?? ''
    switch (event.type) {
      case 'remodel.started':
        this.#begin(event, remodel, false)
        return undefined
      case 'remodel.progress':
        this.#begin(event, remodel, false).phrase = message
        return { kind: 'phrase', at, title, phrase: message }
      case 'remodel.waiting':
        this.#begin(event, remodel, true).phrase = message
        return { kind: 'waiting', at, title, phrase: message, remodel: id }
      case 'remodel.retried':
        this.running.delete(id)
        return { kind: 'retried', at, title, message, attempt: event.attempt ?? 0 }
      case 'remodel.done':
        this.done++
        return { kind: 'done', at, title, ms: this.#end(event, remodel) ?? 0 }
      case 'remodel.failed': {
        this.failed++
        const ms = this.#end(event, remodel)
        return { kind: 'failed', at, title, ms, message, code: event.code ?? 'job-failed', log: event.log ?? '' }
      }
      default:
        return undefined
    }
  }

  #begin(event: Event, remodel: Remodel, waiting: boolean): Running {
    const stage = this.#stages.get(remodel.stage)
    if (stage) stage.from = Math.min(stage.from ?? event.at, event.at)
    const known = this.running.get(remodel.id)
    if (known) {
      known.waiting = waiting
      return known
    }
    this.#startedAt.set(remodel.id, event.at)
    const running = {
      id: remodel.id,
      title: remodel.title,
      since: event.at,
      phrase: '',
      attempt: event.attempt ?? 1,
      waiting,
    }
    this.running.set(remodel.id, running)
    return running
  }

  #end(event: Event, remodel: Remodel): number | undefined {
    const began = this.#startedAt.get(remodel.id)
    const stage = this.#stages.get(remodel.stage)
    if (stage) {
      stage.done++
      stage.from ??= event.durationMs === undefined ? event.at : event.at - event.durationMs
      stage.to = Math.max(stage.to ?? event.at, event.at)
    }
    this.running.delete(remodel.id)
    return event.durationMs ?? (began === undefined ? undefined : event.at - began)
  }
}
