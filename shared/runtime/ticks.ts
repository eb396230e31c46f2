import { RemodelError } from './errors.ts'

export interface TicksOptions {
  /** How many run side by side. */
  width: number
  /** What takes longer is let go, in milliseconds. */
  limitMs: number
  /** A tick failed, or was let go. */
  failed(key: string, error: unknown): void
}

/**
 * Runs short pieces of work that come again and again, each under a name. None of them holds up the others:
 *
 *   offered  -- one of the same name runs or waits -->  dropped: it comes again
 *            -- a place is free                    -->  running  -- ends, or its limit is up -->  place free
 *
 * The signal of a tick fires when its limit is up. From then on its place is free, also if it goes on; its name is free
 * once it has ended, so that a tick that hangs for ever hangs once.
 */
export class Ticks {
  readonly #options: TicksOptions
  readonly #stopping = new AbortController()
  readonly #known = new Set<string>()
  readonly #waiting: { key: string; run: (signal: AbortSignal) => Promise<void> }[] = []
  readonly #running = new Set<Promise<void>>()

  constructor(options: TicksOptions) {
    this.#options = options
  }

  offer(key: string, run: (signal: AbortSignal) => Promise<void>): void {
    if (this.#stopping.signal.aborted || this.#known.has(key)) return
    this.#known.add(key)
    this.#waiting.push({ key, run })
    this.#next()
  }

  /** Tells all that run, and waits until their places are free. */
  async stop(): Promise<void> {
    this.#stopping.abort(new RemodelError('cancelled', 'this process is leaving'))
    this.#waiting.length = 0
    await Promise.all(this.#running)
  }

  #next(): void {
    while (this.#running.size < this.#options.width) {
      const next = this.#waiting.shift()
      if (!next) return
      const run = this.#run(next.key, next.run).finally(() => {
        this.#running.delete(run)
        this.#next()
      })
      this.#running.add(run)
    }
  }

  async #run(key: string, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { limitMs, failed } = this.#options
    const limit = new AbortController()
    const late = new RemodelError('deadline', `it did not end within ${limitMs / 1000} s`)
    const timer = setTimeout(() => limit.abort(late), limitMs)
    const signal = AbortSignal.any([limit.signal, this.#stopping.signal])
    const work = run(signal).finally(() => this.#known.delete(key))
    try {
      await orAborted(work, signal)
    } catch (error) {
      if (!this.#stopping.signal.aborted) failed(key, error)
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The end of the work, or the reason of the signal where that comes first; the work's own end is ignored then. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {})
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
