import { AsyncLocalStorage } from 'node:async_hooks'

/** When simulated time begins: a day like any other, so that times have their usual number of digits. */
export const epoch = 1_750_000_000_000

const current = new AsyncLocalStorage<Process>()
const asNobody = AsyncLocalStorage.snapshot()

/** The simulated process whose code runs now. */
export function currentProcess(): Process | undefined {
  return current.getStore()
}

/**
 * One simulated process. What it does is real code; what reaches it (timers, replies, messages) passes the scheduler,
 * which holds it back while the process is paused and drops it once the process is dead.
 */
export class Process {
  readonly name: string
  alive = true
  /** While it is paused, what should reach it is kept here. */
  parked: Entry[] | null = null
  /** Called when it dies: its connections close. */
  readonly onDeath: (() => void)[] = []
  /** Runs a function as this process: everything it starts belongs to the process too. */
  readonly run: (run: () => void) => void

  constructor(name: string) {
    this.name = name
    this.run = current.run(this, () => AsyncLocalStorage.snapshot())
  }

  kill(): void {
    if (!this.alive) return
    this.alive = false
    for (const close of this.onDeath) close()
  }
}

interface Entry {
  at: number
  order: number
  owner: Process | null
  run: (() => void) | null
}

/** A handle of something scheduled. */
export interface Scheduled {
  cancel(): void
}

/**
 * Simulated time: runs what is due in order of time, one thing after the other, and lets every promise that follows
 * from one settle before the next.
 */
export class Scheduler {
  now = epoch
  /** How many things ran. */
  steps = 0
  readonly #heap: Entry[] = []
  #order = 0

  /**
   * Runs `run` in `delayMs`; one that belongs to a process waits while that is paused and is dropped when it is dead.
   */
  after(delayMs: number, owner: Process | null, run: () => void): Scheduled {
    const entry: Entry = { at: this.now + Math.max(0, delayMs), order: this.#order++, owner, run }
    this.#push(entry)
    return {
      cancel: () => {
        entry.run = null
      },
    }
  }

  /** Nothing reaches the process for this time, or until `resume`. */
  pause(process: Process, ms: number): void {
    process.parked ??= []
    this.after(ms, null, () => this.resume(process))
  }

  /** What was kept back reaches the process at once, in the order in which it was due. */
  resume(process: Process): void {
    const kept = process.parked ?? []
    process.parked = null
    for (const entry of kept) {
      entry.at = this.now
      this.#push(entry)
    }
  }

  /** Runs until `done` says so or time passes `until`; answers false where it ran out of time. */
  async runUntil(until: number, done: () => boolean): Promise<boolean> {
    while (!done()) {
      const entry = this.#heap[0]
      if (!entry || entry.at > until) {
        this.now = Math.max(this.now, until)
        return false
      }
      this.#pop()
      const { owner, run } = entry
      if (run === null || (owner && !owner.alive)) continue
      if (owner?.parked) {
        owner.parked.push(entry)
        continue
      }
      this.now = Math.max(this.now, entry.at)
      this.steps += 1
      if (owner) owner.run(run)
      else asNobody(run)
      // A tick set from a promise's continuation runs when no continuation is left: everything
      // that follows has settled.
      await new Promise<void>((resolve) => process.nextTick(resolve))
    }
    return true
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let i = heap.push(entry) - 1
    while (i > 0) {
      const up = (i - 1) >> 1
      if (!before(entry, heap[up]!)) break
      heap[i] = heap[up]!
      i = up
    }
    heap[i] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1
      if (!before(heap[child]!, last)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
