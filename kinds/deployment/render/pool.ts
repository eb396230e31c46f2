import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import type { PreparedJob } from './job.ts'
import { limitMemory } from './memory-limit.ts'
import { RUBY_BUILD } from './ruby-side.ts'
import { MEMORY_LIMIT, RubyThread } from './ruby-thread.ts'
import type { TemplateFault } from './thread.ts'
import { compileWasm, type WasmModule } from './wasm.ts'

/** What became of one context: a bundle, faults of templates, or no answer at all. */
export type PoolAnswer =
  | { rendered: { digest: string; content: Uint8Array<ArrayBuffer> } }
  | { faults: TemplateFault[] }
  | { broken: { template: string; reason: 'deadline' | 'died' } }

export interface PoolTask {
  job: PreparedJob
  context: string
  /** Threads that ended while they were at it. */
  deaths: number
  resolve(answer: PoolAnswer): void
  reject(error: unknown): void
}

/** Waiting contexts for each further thread: a start costs as much as several hundred small templates. */
const TASKS_PER_THREAD = 64
/** Small enough that threads end together, large enough that a thread never waits for the main thread. */
const BATCH = 32

let compiled: Promise<WasmModule> | undefined

/**
 * Threads with a Ruby each.
 *
 * A task waits in the queue, is handed to an idle thread as part of a batch, and is answered. A thread that ends
 * without an answer to the task at work is replaced; the rest of its batch goes back to the queue untouched. The task
 * at work is tried once more, alone in blame: a thread may die of what it did before. A task past its time is not
 * tried again.
 */
export class RubyPool {
  readonly #size: number
  readonly #limit: number
  readonly #threads = new Set<RubyThread>()
  #queue: PoolTask[] = []
  #closed = false
  #starting = 0
  #scheduled = false

  /** `limit`: milliseconds for all templates of one context. */
  constructor({
    threads = Math.min(4, availableParallelism()),
    limit = 10_000,
  }: { threads?: number; limit?: number } = {}) {
    this.#size = Math.max(1, threads)
    this.#limit = limit
  }

  /** Rejects with `cancelled` where the pool is closed meanwhile, `unsupported` where no Ruby can be started. */
  render(job: PreparedJob, context: string): Promise<PoolAnswer> {
    if (this.#closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, context, deaths: 0, resolve, reject })
      this.#schedule()
    })
  }

  /** Ids of the threads that run now; for tests and for the metrics. */
  get threads(): number[] {
    return [...this.#threads].map((thread) => thread.id)
  }

  async close(): Promise<void> {
    this.#closed = true
    const waiting = this.#queue.splice(0)
    await Promise.all([...this.#threads].map((thread) => thread.end()))
    for (const task of waiting) task.reject(closedError())
  }

  /** A turn later the whole of a call is known. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#closed || this.#queue.length === 0) return
    for (const thread of this.#threads) {
      if (this.#queue.length === 0) return
      if (!thread.idle) continue
      const fair = Math.ceil(this.#queue.length / this.#size)
      thread.work(this.#queue.splice(0, Math.min(BATCH, fair)))
    }
    const live = this.#threads.size + this.#starting
    const wanted = Math.min(this.#size, Math.ceil(this.#queue.length / TASKS_PER_THREAD))
    for (let more = live; more < wanted; more++) void this.#start()
  }

  async #start(): Promise<void> {
    this.#starting++
    try {
      const module = await rubyModule()
      if (this.#closed) return
      const thread = new RubyThread(module, this.#limit, {
        idle: () => this.#pump(),
        ended: (unanswered, blamed) => {
          this.#threads.delete(thread)
          this.#takeBack(unanswered, blamed)
        },
        failed: (error) => {
          this.#threads.delete(thread)
          this.#fail(error)
        },
      })
      this.#threads.add(thread)
    } catch (error) {
      this.#fail(toError(error))
    } finally {
      this.#starting--
    }
  }

  #takeBack(unanswered: PoolTask[], blamed: { template: string; reason: 'deadline' | 'died' }): void {
    if (this.#closed) {
      for (const task of unanswered) task.reject(closedError())
      return
    }
    const [culprit, ...rest] = unanswered
    if (culprit) {
      culprit.deaths++
      if (blamed.reason === 'deadline' || culprit.deaths > 1) culprit.resolve({ broken: blamed })
      else rest.unshift(culprit)
    }
    this.#queue.unshift(...rest)
    this.#pump()
  }

  #fail(error: Error): void {
    const cause = new RemodelError('unsupported', `no Ruby can be started to render templates: ${error.message}`, {
      cause: error,
    })
    for (const task of this.#queue.splice(0)) task.reject(cause)
  }
}

/** Compiled once for all threads: they share the machine code. */
function rubyModule(): Promise<WasmModule> {
  compiled ??= readFile(RUBY_BUILD).then((bytes) => compileWasm(limitMemory(bytes, MEMORY_LIMIT)))
  compiled.catch(() => {
    compiled = undefined
  })
  return compiled
}

function closedError(): RemodelError {
  return new RemodelError('cancelled', 'the renderer of templates was closed')
}
