import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { Random } from './random.ts'
import { currentProcess, epoch, type Process, type Scheduled, type Scheduler } from './scheduler.ts'

const real = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  clearTimeout: globalThis.clearTimeout,
  clearInterval: globalThis.clearInterval,
  clearImmediate: globalThis.clearImmediate,
  dateNow: Date.now,
  performanceNow: performance.now.bind(performance),
  random: Math.random,
  abortAfter: AbortSignal.timeout,
}
const require = createRequire(import.meta.url)
const crypto = require('node:crypto') as typeof import('node:crypto')
const { randomBytes, randomUUID } = crypto
const timersPromises = require('node:timers/promises') as typeof import('node:timers/promises')
const { setTimeout: promisedTimeout } = timersPromises

/** A timer of a simulated process. */
class Timer {
  readonly #scheduler: Scheduler
  readonly #owner: Process
  readonly #everyMs: number | null
  readonly #run: () => void
  #scheduled: Scheduled

  constructor(
    scheduler: Scheduler,
    owner: Process,
    { delayMs, everyMs }: { delayMs: number; everyMs: number | null },
    run: () => void,
  ) {
    this.#scheduler = scheduler
    this.#owner = owner
    this.#everyMs = everyMs
    this.#run = run
    this.#scheduled = scheduler.after(Math.max(1, delayMs || 0), owner, () => this.#fire())
  }

  #fire(): void {
    if (this.#everyMs !== null)
      this.#scheduled = this.#scheduler.after(Math.max(1, this.#everyMs), this.#owner, () => this.#fire())
    this.#run()
  }

  cancel(): void {
    this.#scheduled.cancel()
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  hasRef(): boolean {
    return false
  }
}

/**
 * Lends simulated time and random numbers to code that runs in a simulated process: timers, `Date.now`,
 * `performance.now`, `AbortSignal.timeout`, random ids. Code outside of one (a test runner's, say) keeps the real ones.
 * So production code needs no clock handed through it, and cannot forget to use one. Returns what undoes it.
 */
export function lendTime(scheduler: Scheduler, random: Random): () => void {
  const owner = currentProcess
  const timer = (everyMs: boolean) =>
    function schedule(run: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) {
      const process = owner()
      if (!process) return (everyMs ? real.setInterval : real.setTimeout)(run, delayMs, ...args)
      return new Timer(scheduler, process, { delayMs, everyMs: everyMs ? delayMs : null }, () => run(...args))
    }
  const clear = (otherwise: (handle: never) => void) => (handle: unknown) => {
    if (handle instanceof Timer) handle.cancel()
    else otherwise(handle as never)
  }
  const bytes = (size: number) => Buffer.from(Array.from({ length: size }, () => random.int(0, 255)))

  Object.assign(globalThis, {
    setTimeout: timer(false),
    setInterval: timer(true),
    setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) => {
      const process = owner()
      if (!process) return real.setImmediate(run, ...args)
      return scheduler.after(0.01, process, () => run(...args))
    },
    clearTimeout: clear(real.clearTimeout),
    clearInterval: clear(real.clearInterval),
  })
  Date.now = () => (owner() ? Math.floor(scheduler.now) : real.dateNow())
  performance.now = () => (owner() ? scheduler.now - epoch : real.performanceNow())
  Math.random = () => (owner() ? random.next() : real.random())
  AbortSignal.timeout = (ms) => {
    if (!owner()) return real.abortAfter.call(AbortSignal, ms)
    const controller = new AbortController()
    setTimeout(() => controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms)
    return controller.signal
  }
  Object.assign(crypto, {
    randomBytes: (size: number) => (owner() ? bytes(size) : randomBytes(size)),
    randomUUID: () => (owner() ? bytes(16).toString('hex') : randomUUID()),
  })
  Object.assign(timersPromises, {
    setTimeout: (ms?: number, value?: unknown, options?: object) =>
      owner() ? new Promise((resolve) => setTimeout(resolve, ms, value)) : promisedTimeout(ms, value, options),
  })
  syncBuiltinESMExports()

  return () => {
    const { dateNow, performanceNow, random: realRandom, abortAfter, ...timers } = real
    Object.assign(globalThis, timers)
    Date.now = dateNow
    performance.now = performanceNow
    Math.random = realRandom
    AbortSignal.timeout = abortAfter
    Object.assign(crypto, { randomBytes, randomUUID })
    Object.assign(timersPromises, { setTimeout: promisedTimeout })
    syncBuiltinESMExports()
  }
}
