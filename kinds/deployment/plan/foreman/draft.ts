import { versioned } from '../../../../shared/model/input-version.ts'
import type { Remodel } from '../../../../shared/model/plan.ts'
import type { Reservation } from '../../../../shared/model/reservation.ts'
import type { PlanDraft, RemodelDraft } from '../../../contract/draft.ts'
import { inputs, type StepInput, type StepName } from '../../inputs.ts'
import type { DeploymentReason } from '../../reasons.ts'

/**
 * What a remodel says beside its step. `needs` is copied; verb and subject are those of the step
 * where they are left out.
 */
type Common = Pick<Remodel, 'action' | 'material' | 'stage'> &
  Partial<Omit<Remodel, 'needs' | 'title' | 'verb' | 'subject' | 'reasons'>> & {
    readonly verb?: string
    readonly subject?: string
    readonly needs?: readonly string[]
    readonly reasons?: readonly DeploymentReason[]
  }

/**
 * Seconds one attempt may take. Drain and pre-start scripts are the user's: BOSH gives them all the time in the world.
 */
const deadlines: Record<StepName, number> = {
  'compile-package': 3600,
  'create-vm': 600,
  'delete-vm': 300,
  'create-disk': 300,
  'delete-disk': 300,
  'resize-disk': 1800,
  'attach-disk': 300,
  'rename-instances': 300,
  'prepare-instance': 900,
  'stop-instance': 3600,
  'record-instance': 300,
  'start-instance': 3600,
  'run-post-deploy': 3600,
  'publish-addresses': 300,
}

/** What people read of a step: a verb, and what the name that follows it is of, where the verb does not say it. */
const phrases: Record<StepName, { verb: string; noun?: string }> = {
  'compile-package': { verb: 'compile package' },
  'create-vm': { verb: 'create vm' },
  'delete-vm': { verb: 'delete vm' },
  'create-disk': { verb: 'create', noun: 'disk' },
  'delete-disk': { verb: 'delete', noun: 'disk' },
  'resize-disk': { verb: 'resize', noun: 'disk' },
  'attach-disk': { verb: 'attach', noun: 'disk' },
  'rename-instances': { verb: 'rename' },
  'prepare-instance': { verb: 'prepare instance' },
  'stop-instance': { verb: 'stop instance' },
  'record-instance': { verb: 'record', noun: 'instance' },
  'start-instance': { verb: 'start instance' },
  'run-post-deploy': { verb: 'run' },
  'publish-addresses': { verb: 'publish addresses' },
}

/** BOSH's `max_vm_create_tries`. */
const attempts: Partial<Record<StepName, number>> = { 'create-vm': 5 }

/** A plan as it is written: remodels in order, windows and permits as they are named. */
export class DraftWriter {
  readonly #remodels: RemodelDraft[] = []
  readonly #windows = new Map<string, number>()
  readonly #permits = new Map<string, Set<string>>()
  readonly #reservations: Reservation[] = []
  readonly notes: string[]

  constructor(notes: readonly string[]) {
    this.notes = [...notes]
  }

  /** Adds a step; its id is `<step> <name>`. Returns the id. */
  step<Step extends StepName>(
    step: Step,
    name: string,
    input: StepInput<Step>,
    { needs = [], reasons = [], ...common }: Common,
  ): string {
    const id = `${step} ${name}`
    const { verb, noun } = phrases[step]
    this.#remodels.push({
      id,
      step,
      verb,
      subject: noun === undefined ? name : `${noun} ${name}`,
      needs: [...needs],
      reasons: [...reasons],
      queue: step === 'compile-package' ? 'compile' : 'assemble',
      deadlineSeconds: deadlines[step],
      attempts: attempts[step] ?? 3,
      input,
      ...common,
    })
    return id
  }

  /** Adds a barrier: all of `needs` before all that need it. */
  barrier(id: string, stage: string, material: string, needs: readonly string[]): string {
    const barrier = { step: 'barrier', action: 'barrier', title: id, reasons: [] } as const
    this.#remodels.push({ ...barrier, id, stage, material, needs: [...needs], reasons: [] })
    return id
  }

  reserve(...reservations: Reservation[]): void {
    this.#reservations.push(...reservations)
  }

  /** Ids of the remodels that no other waits for yet. */
  ends(): string[] {
    const needed = new Set(this.#remodels.flatMap(({ needs = [] }) => needs))
    return this.#remodels.map(({ id }) => id).filter((id) => !needed.has(id))
  }

  window(name: string, limit: number): string {
    this.#windows.set(name, limit)
    return name
  }

  /** A permit of windows that were named before; may be given more windows later. */
  permit(name: string, ...windows: string[]): string {
    const permit = this.#permits.get(name) ?? new Set()
    for (const window of windows) permit.add(window)
    this.#permits.set(name, permit)
    return name
  }

  finish(): PlanDraft {
    return {
      remodels: versioned(this.#remodels, inputs),
      windows: [...this.#windows].map(([name, limit]) => ({ name, limit })),
      permits: [...this.#permits].map(([name, windows]) => ({ name, windows: [...windows] })),
      reservations: this.#reservations,
      notes: this.notes,
    }
  }
}
