import { RemodelError } from './errors.ts'
import { numberSetting } from './settings.ts'
import { after, type Timer } from './timer.ts'

/**
 * How a worker leaves: its jobs get a while to come to their end; those that have not by then are stopped by `signal`,
 * and handed back without using an attempt. A process that is killed instead leaves that to its heartbeat.
 */
export class Leaving {
  readonly #controller = new AbortController()
  #timer: Timer | undefined

  get begun(): boolean {
    return this.#timer !== undefined
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  begin(): void {
    const reason = new RemodelError('unavailable', 'its worker leaves and hands it back')
    this.#timer = after(numberSetting('REMODEL_LEAVE_SECONDS') * 1000, () => this.#controller.abort(reason))
  }

  end(): void {
    this.#timer?.end()
  }
}
