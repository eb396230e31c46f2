import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { reasonOf } from '../../shared/runtime/system-error.ts'
import { startFailure } from '../views/service-log.ts'

export interface ProcessSpec {
  name: string
  command: string
  args: readonly string[]
  env: NodeJS.ProcessEnv
  cwd: string
  /** File that gets everything the process writes, after what is there. */
  log: string
}

export interface Supervision {
  /** A line that the process wrote. */
  line(name: string, line: string): void
  /** Something that happened to the process, for people. */
  tell(sentence: string): void
  /** The process began, or ended: the ids changed. */
  changed(): void
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 10_000
/** A process that ran this long counts as healthy: its restart pause is reset. */
const HEALTHY_MS = 30_000

/**
 * A process that is started again when it dies.
 *
 * running -> (it ends) -> pausing -> running ...; the pause doubles from 250 ms to 10 s and begins anew after 30 s of
 * life. `stop` and `kill` lead from everywhere to stopped, which is final. The process is the leader of its own group,
 * so that a Ctrl-C in the terminal reaches only the supervisor, which then stops everything in order.
 */
export class Supervised {
  readonly name: string
  readonly #spec: () => ProcessSpec
  readonly #supervision: Supervision
  #child: ChildProcess | undefined
  #pause = FIRST_PAUSE_MS
  #timer: NodeJS.Timeout | undefined
  #stopping = false
  #logFailed = false
  /** How often it ended without being told to. */
  deaths = 0
  /** Why it could not start, as it said itself before it ended. */
  reason: string | undefined

  /** `spec` is asked at each start, as an address may have become known meanwhile. */
  constructor(spec: () => ProcessSpec, supervision: Supervision) {
    this.#spec = spec
    this.name = spec().name
    this.#supervision = supervision
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    const spec = this.#spec()
    const began = Date.now()
    const log = this.#openLog(spec.log)
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) this.#read(stream, log)
    let failure: NodeJS.ErrnoException | undefined
    child.once('error', (error) => {
      failure = error
      if (child.pid === undefined) this.#ended(began, `could not be started: ${reasonOf(error)}`)
    })
    child.once('exit', (code, signal) => {
      if (!failure) this.#ended(began, signal ? `was ended by ${signal}` : `ended with code ${code}`)
    })
    child.once('close', () => {
      if (log !== undefined) closeSync(log)
    })
    if (child.pid !== undefined) this.#supervision.changed()
  }

  /** SIGTERM, and SIGKILL after `graceMs`. Answers when the process is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (!child || !this.#isRunning(child)) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGTERM')
    const late = setTimeout(() => {
      this.#supervision.tell(`${this.name} did not leave within ${graceMs / 1000} s and is killed`)
      child.kill('SIGKILL')
    }, graceMs)
    await gone
    clearTimeout(late)
  }

  /** Ends it at once and for good. */
  kill(): void {
    this.#stopping = true
    clearTimeout(this.#timer)
    this.#child?.kill('SIGKILL')
  }

  #isRunning(child: ChildProcess): boolean {
    return child.pid !== undefined && child.exitCode === null && child.signalCode === null
  }

  /**
   * Its log may not open or not grow, on a full disk for instance: the process runs on, and its words
   * are shown all the same.
   */
  #openLog(path: string): number | undefined {
    try {
      return openSync(path, 'a', 0o600)
    } catch (error) {
      this.#logFails(error)
      return undefined
    }
  }

  #read(stream: Readable, log: number | undefined): void {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      try {
        if (log !== undefined) writeSync(log, `${line}\n`)
        this.#logFailed = false
      } catch (error) {
        this.#logFails(error)
      }
      this.reason = startFailure(line) ?? this.reason
      this.#supervision.line(this.name, line)
    })
  }

  /** Said once until a line can be written again. */
  #logFails(error: unknown): void {
    if (this.#logFailed) return
    this.#logFailed = true
    this.#supervision.tell(`the log of ${this.name} cannot be written: ${reasonOf(error)}`)
  }

  #ended(began: number, how: string): void {
    this.#child = undefined
    if (this.#stopping) return
    this.deaths++
    if (Date.now() - began >= HEALTHY_MS) this.#pause = FIRST_PAUSE_MS
    this.#supervision.tell(`${this.name} ${how}; started again in ${this.#pause} ms`)
    this.#timer = setTimeout(() => this.start(), this.#pause)
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS)
    this.#supervision.changed()
  }
}
