/**
 * A model of a BullMQ queue: what its scripts do to a job, each in one step at the server.
 *
 * A job id that is still kept is added once only, finished jobs included. A job is active while its lock is held;
 * the stalled check gives one whose lock ran out to the next worker. Delivery is at least once.
 */
export interface QueueJob {
  id: string
  name: string
  data: unknown
  state: 'waiting' | 'delayed' | 'active' | 'completed' | 'failed'
  /** 0 (none) goes first, then smaller numbers. */
  priority: number
  order: number
  delayedUntil: number
  lock: { token: string; until: number } | null
  /** Seen active without a lock at the last stalled check. */
  suspect: boolean
  attempts: number
  attemptsMade: number
  backoffMs: number
}

export interface AddOptions {
  jobId?: string
  priority?: number
  delay?: number
  attempts?: number
  backoff?: number | { type?: string; delay?: number }
  /** Finished jobs that are kept: a later add of the same id is then ignored. */
  removeOnFail?: unknown
}

class MissingLock extends Error {}

export class QueueModel {
  jobs = new Map<string, QueueJob>()
  /** Called when a job may have become ready. */
  readonly wakers = new Set<() => void>()
  /** Which of the ready jobs comes next; the usual order takes the first. */
  choose: (ready: QueueJob[]) => QueueJob | undefined = (ready) => ready[0]
  readonly #now: () => number
  readonly #later: (ms: number, run: () => void) => void
  #order = 0
  #checkedUntil = 0

  constructor(now: () => number, later: (ms: number, run: () => void) => void) {
    this.#now = now
    this.#later = later
  }

  add(name: string, data: unknown, options: AddOptions): void {
    const id = options.jobId ?? `${this.#order + 1}`
    if (this.jobs.has(id)) return
    const delay = options.delay ?? 0
    const backoff = typeof options.backoff === 'number' ? options.backoff : (options.backoff?.delay ?? 0)
    this.jobs.set(id, {
      id,
      name,
      data,
      state: delay > 0 ? 'delayed' : 'waiting',
      priority: options.priority ?? 0,
      order: this.#order++,
      delayedUntil: this.#now() + delay,
      lock: null,
      suspect: false,
      attempts: options.attempts ?? 1,
      attemptsMade: 0,
      backoffMs: backoff,
    })
    this.#wake(delay)
  }

  /** The priority number of the job that goes next; 0 where none waits. */
  turn(): number {
    const waiting = [...this.jobs.values()].filter((job) => job.state === 'waiting' && job.priority > 0)
    return waiting.length === 0 ? 0 : Math.min(...waiting.map(({ priority }) => priority))
  }

  /** The next ready job becomes the caller's for `lockMs`. */
  take(token: string, lockMs: number): QueueJob | null {
    for (const job of this.jobs.values())
      if (job.state === 'delayed' && job.delayedUntil <= this.#now()) job.state = 'waiting'
    const ready = [...this.jobs.values()].filter((job) => job.state === 'waiting')
    ready.sort((a, b) => a.priority - b.priority || a.order - b.order)
    const job = this.choose(ready)
    if (!job) return null
    job.state = 'active'
    job.lock = { token, until: this.#now() + lockMs }
    job.suspect = false
    return { ...job }
  }

  extend(id: string, token: string, lockMs: number): boolean {
    const job = this.jobs.get(id)
    if (!job || !this.#holds(job, token)) return false
    job.lock = { token, until: this.#now() + lockMs }
    job.suspect = false
    return true
  }

  complete(id: string, token: string): void {
    const job = this.#held(id, token)
    Object.assign(job, { state: 'completed', lock: null })
  }

  /** Tries it again later where attempts are left, else keeps it as failed. */
  fail(id: string, token: string, final: boolean): void {
    const job = this.#held(id, token)
    job.attemptsMade += 1
    job.lock = null
    if (final || job.attemptsMade >= job.attempts) job.state = 'failed'
    else this.#postpone(job, this.#now() + job.backoffMs)
  }

  delay(id: string, token: string, until: number): void {
    const job = this.#held(id, token)
    job.lock = null
    this.#postpone(job, until)
  }

  /** Gives active jobs without a lock that were so at the last check to the next worker. */
  checkStalled(everyMs: number): void {
    if (this.#now() < this.#checkedUntil) return
    this.#checkedUntil = this.#now() + everyMs
    for (const job of this.jobs.values()) {
      if (job.state !== 'active') continue
      const locked = job.lock !== null && job.lock.until > this.#now()
      if (!locked && job.suspect) {
        Object.assign(job, { state: 'waiting', lock: null, suspect: false })
        this.#wake(0)
      } else job.suspect = true
    }
  }

  /** A job as if its lock had run out. */
  loseLocks(): void {
    for (const job of this.jobs.values()) job.lock = null
  }

  /** By the tokens, which begin with the name of the process. */
  holders(): string[] {
    return [...this.jobs.values()].flatMap((job) =>
      job.state === 'active' && job.lock ? [workerOf(job.lock.token)] : [],
    )
  }

  freeOf(workers: readonly string[]): void {
    for (const job of this.jobs.values()) if (job.lock && workers.includes(workerOf(job.lock.token))) job.lock = null
  }

  /** A lock that lasts no longer than `ms` from now. */
  shorten(id: string, ms: number): void {
    const lock = this.jobs.get(id)?.lock
    if (lock) lock.until = Math.min(lock.until, this.#now() + ms)
  }

  /** Where no other worker has it by now. */
  retake(id: string, token: string, lockMs: number): void {
    const job = this.jobs.get(id)
    if (job && (job.lock === null || job.lock.until <= this.#now())) job.lock = { token, until: this.#now() + lockMs }
  }

  hasEnded(id: string): boolean {
    const state = this.jobs.get(id)?.state
    return state === 'completed' || state === 'failed'
  }

  /** One that is being worked on stays. */
  remove(id: string): void {
    if (this.jobs.get(id)?.state !== 'active') this.jobs.delete(id)
  }

  snapshot(): QueueJob[] {
    return structuredClone([...this.jobs.values()])
  }

  restore(jobs: QueueJob[]): void {
    this.jobs = new Map(structuredClone(jobs).map((job) => [job.id, job]))
  }

  obliterate(): void {
    this.jobs.clear()
  }

  unfinished(): QueueJob[] {
    return [...this.jobs.values()].filter((job) => job.state !== 'completed' && job.state !== 'failed')
  }

  #held(id: string, token: string): QueueJob {
    const job = this.jobs.get(id)
    if (job?.state !== 'active' || !this.#holds(job, token)) throw new MissingLock(`Missing lock for job ${id}`)
    return job
  }

  #holds(job: QueueJob, token: string): boolean {
    return job.lock !== null && job.lock.token === token && job.lock.until > this.#now()
  }

  #postpone(job: QueueJob, until: number): void {
    job.state = 'delayed'
    job.delayedUntil = until
    job.order = this.#order++
    this.#wake(until - this.#now())
  }

  #wake(delay: number): void {
    const wake = () => {
      for (const waker of [...this.wakers]) waker()
    }
    if (delay > 0) this.#later(delay, wake)
    else wake()
  }
}

function workerOf(token: string): string {
  return token.slice(0, token.lastIndexOf(':'))
}
