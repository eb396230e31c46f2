import { Worker } from 'node:worker_threads'
import type { PoolTask } from './pool.ts'
import type { ThreadAnswer, ThreadBatch, ThreadData } from './thread.ts'
import type { WasmModule } from './wasm.ts'

/** Jobs that a thread keeps compiled; the one longest unused goes first. */
const JOBS_KEPT = 500
const START_LIMIT = 60_000
/** WebAssembly gives no memory back: a thread that a greedy template has blown up is replaced. Bytes. */
const MEMORY_KEPT = 192 * 2 ** 20
/** What the Ruby of one thread may take, templates and all; it begins with about 70 MiB. Bytes. */
export const MEMORY_LIMIT = 384 * 2 ** 20

export interface ThreadEvents {
  /** Ready for a batch. */
  idle(): void
  /** Ended after it was ready. `unanswered[0]` is what it was at. */
  ended(unanswered: PoolTask[], blamed: { template: string; reason: 'deadline' | 'died' }): void
  /** Never became ready. */
  failed(error: Error): void
}

/**
 * One worker thread, seen from the main thread: starting, idle, busy, ended.
 *
 * Busy with a batch it has until the deadline for each task, counted from the answer before. Ended comes once, whatever
 * ended it (a deadline, an error inside, `end()`), and is the only place where unanswered tasks leave.
 */
export class RubyThread {
  readonly id: number
  readonly #worker: Worker
  readonly #progress = new Int32Array(new SharedArrayBuffer(4))
  readonly #limit: number
  readonly #events: ThreadEvents
  readonly #jobs = new Set<string>()
  #batch: PoolTask[] = []
  #answered = 0
  #memory = 0
  #ready = false
  #retired = false
  #late = false
  #timer: NodeJS.Timeout
  #error: Error | undefined

  constructor(module: WasmModule, limit: number, events: ThreadEvents) {
    this.#limit = limit
    this.#events = events
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: { module, progress: this.#progress.buffer } satisfies ThreadData,
      // Templates print to nowhere; what else arrives here must not land among the lines of the planner's log.
      stdout: true,
      stderr: true,
      env: {},
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { stackSizeMb: 8 },
    })
    this.id = this.#worker.threadId
    this.#timer = setTimeout(() => this.#expire(), START_LIMIT)
    this.#worker.on('message', (answer: ThreadAnswer) => this.#take(answer))
    this.#worker.on('error', (error) => {
      this.#error = error
    })
    this.#worker.once('exit', () => this.#exited())
  }

  get idle(): boolean {
    return this.#ready && !this.#retired && this.#batch.length === 0
  }

  work(tasks: PoolTask[]): void {
    const batch: ThreadBatch = { jobs: [], forget: [], tasks: [] }
    for (const [number, { job, context }] of tasks.entries()) {
      if (this.#jobs.delete(job.id) === false) batch.jobs.push(job)
      this.#jobs.add(job.id)
      batch.tasks.push({ number, job: job.id, context })
    }
    const used = new Set(batch.tasks.map((task) => task.job))
    for (const id of this.#jobs) {
      if (this.#jobs.size <= JOBS_KEPT) break
      if (used.has(id)) continue
      this.#jobs.delete(id)
      batch.forget.push(id)
    }
    this.#batch = tasks
    this.#answered = 0
    this.#worker.ref()
    this.#worker.postMessage(batch)
    this.#arm()
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #take(answer: ThreadAnswer): void {
    this.#late = false
    if ('ready' in answer) {
      this.#ready = true
    } else {
      const { number: _, memory, ...result } = answer
      this.#memory = memory
      this.#batch[this.#answered++]?.resolve(result)
    }
    if (this.#answered < this.#batch.length) {
      this.#arm()
      return
    }
    this.#batch = []
    this.#answered = 0
    clearTimeout(this.#timer)
    if (this.#memory > MEMORY_KEPT) {
      this.#retired = true
      void this.#worker.terminate()
      return
    }
    // A process that forgets to close must not be kept alive by a thread that waits.
    this.#worker.unref()
    this.#events.idle()
  }

  #arm(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#expire(), this.#limit)
  }

  /**
   * Where the main thread itself was held up, answers wait in its inbox: they get one turn before the thread is ended.
   */
  #expire(): void {
    if (this.#late) {
      void this.#worker.terminate()
      return
    }
    this.#late = true
    this.#timer = setTimeout(() => this.#expire(), 50)
  }

  #exited(): void {
    clearTimeout(this.#timer)
    const unanswered = this.#batch.slice(this.#answered)
    this.#batch = []
    const wasReady = this.#ready
    this.#ready = false
    if (!wasReady) {
      this.#events.failed(this.#error ?? new Error('the thread ended while it started'))
      return
    }
    const template = unanswered[0]?.job.files[this.#progress[0] ?? 0]?.template ?? 'unknown'
    this.#events.ended(unanswered, { template, reason: this.#late ? 'deadline' : 'died' })
  }
}
