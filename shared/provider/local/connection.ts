import { constants } from 'node:os'
import { type Duplex, Readable } from 'node:stream'
import { RemodelError, toError } from '../../runtime/errors.ts'
import { after } from '../../runtime/timer.ts'
import type { Connection, ExecOptions, ExecResult, ProcessDefinition, ProcessStatus, Stopped } from '../connection.ts'
import type { Fence } from '../provider.ts'
import { type Call, call, type Pace } from './call.ts'
import { decodeWords, encodeWords, type Frame } from './frames.ts'
import { checkFence } from './names.ts'
import { BoundedOutput } from './output.ts'
import { openRelay } from './relay.ts'
import { Rhythm } from './rhythm.ts'
import { sniff } from './sniff.ts'
import { Stdin } from './stdin.ts'

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number as number, name]))
/** Exit of the built-in file read where there is no such file: agent/file.c. */
const noSuchFile = 2

/** A connection to the agent of one VM. Every call has a socket of its own; `close` ends the calls that still run. */
export class LocalConnection implements Connection {
  readonly #vm: { directory: string; id: string }
  readonly #fence: Fence | null
  readonly #binary: () => Promise<string>
  readonly #calls = new Set<Call>()
  #closed = false

  /** @param binary path of the agent of today on this machine: the one of the VM may be older. */
  constructor(vm: { directory: string; id: string }, fence: Fence | null, binary: () => Promise<string>) {
    checkFence(fence)
    this.#vm = vm
    this.#fence = fence
    this.#binary = binary
  }

  /**
   * Rejects with `infrastructure` within 5 s where the agent is dead or frozen, and with `superseded` where the fence
   * is too small. Shows the fence, so that the attempt before this one is ended whatever the first call will be.
   */
  async ping(): Promise<void> {
    if (this.#fence) await this.#ask('F', [], 'A')
    else await this.#ask('Q', [], 'Q', false)
  }

  /** Makes the VM remember all of these fences; it passes over those that are smaller than what it knows. */
  async remember(fences: readonly Fence[]): Promise<void> {
    const words = fences.flatMap(({ scope, number }) => [scope, number])
    try {
      await this.#ask('L', [fences.length, ...words], 'A', false)
    } catch (error) {
      if (codeOf(error) !== 'invalid-input') throw error
      // An agent from before there was such a request takes them one by one.
      for (const fence of fences) await this.#showAlone(fence)
    }
  }

  async #showAlone(fence: Fence): Promise<void> {
    await new LocalConnection(this.#vm, fence, this.#binary).ping().catch((error) => {
      if (codeOf(error) !== 'superseded') throw error
    })
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const stdout = new BoundedOutput()
    const stderr = new BoundedOutput()
    const ended = await this.#run(argv, options, (chunk, from) => {
      ;(from === 'stdout' ? stdout : stderr).add(chunk)
      options.onOutput?.(chunk, from)
    })
    return { ...ended, stdout: stdout.toString(), stderr: stderr.toString() }
  }

  async unpack(directory: string, archive: Readable | Uint8Array): Promise<void> {
    const { input, gzip } = await sniff(archive)
    const result = await this.exec(
      [
        '/bin/sh',
        '-c',
        // tar may stop before the end of what it is given, and a source that is broken says so there.
        `mkdir -p "$1" && tar -x ${gzip ? '-z' : ''} --no-same-owner -C "$1" -f - && exec cat > /dev/null`,
        'sh',
        directory,
      ],
      { stdin: input },
    )
    if (result.exitCode !== 0) {
      throw new RemodelError('job-failed', `unpacking to ${directory} failed: ${result.stderr.trim()}`)
    }
  }

  async write(path: string, content: Uint8Array | string, mode = 0o644): Promise<void> {
    const result = await this.exec(['\u0001put', path, mode.toString(8)], { stdin: content })
    if (result.exitCode !== 0) throw new RemodelError('job-failed', `writing failed: ${result.stderr.trim()}`)
  }

  async read(path: string): Promise<Buffer> {
    const content: Buffer[] = []
    const complaint = new BoundedOutput()
    const { exitCode } = await this.#run(['\u0001get', path], {}, (chunk, from) => {
      if (from === 'stdout') content.push(Buffer.from(chunk))
      else complaint.add(chunk)
    })
    if (exitCode === 0) return Buffer.concat(content)
    throw unreadable(exitCode, complaint)
  }

  stream(path: string): Readable {
    const complaint = new BoundedOutput()
    const stop = new AbortController()
    let opened: Call | undefined
    const content = new Readable({
      read: () => opened?.resume(),
      destroy: (error, done) => {
        stop.abort()
        // The end of what is killed must be heard.
        opened?.resume()
        done(error)
      },
    })
    const onCall = (call: Call) => {
      opened = call
    }
    this.#run(['\u0001get', path], { signal: stop.signal, onCall }, (chunk, from) => {
      if (from === 'stderr') complaint.add(chunk)
      else if (!content.push(chunk)) opened?.pause()
    }).then(
      ({ exitCode }) => void (exitCode === 0 ? content.push(null) : content.destroy(unreadable(exitCode, complaint))),
      (error) => content.destroy(toError(error)),
    )
    return content
  }

  dial(socket: string): Promise<Duplex> {
    return openRelay(this, socket, this.#binary)
  }

  async supervise(processes: readonly ProcessDefinition[]): Promise<void> {
    const words = processes.flatMap((process) => [
      process.name,
      process.pidfile,
      process.start,
      process.stop,
      process.startTimeoutSeconds ?? 30,
    ])
    await this.#ask('S', [processes.length, ...words], 'A')
  }

  async start(): Promise<void> {
    await this.#ask('B', [], 'A')
  }

  async stop(timeoutMs: number): Promise<Stopped> {
    const [how] = decodeWords((await this.#ask('H', [Math.max(0, Math.round(timeoutMs))], 'A')).payload)
    return how === 'ended' ? 'ended' : 'killed'
  }

  async status(): Promise<ProcessStatus[]> {
    const [, ...words] = decodeWords((await this.#ask('Q', [], 'Q', false)).payload)
    const rows: ProcessStatus[] = []
    for (let at = 0; at + 4 < words.length; at += 5) {
      const [name, state, pid, restarts, uptimeMs] = words.slice(at, at + 5) as [string, string, string, string, string]
      rows.push({
        name,
        state: state as ProcessStatus['state'],
        pid: pid === '0' ? null : Number(pid),
        restarts: Number(restarts),
        uptimeMs: Number(uptimeMs),
      })
    }
    return rows.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async watch(signal: AbortSignal): Promise<void> {
    // Pings are answered at any time, and are all that is asked.
    const opened = await this.#open('P', this.#words([], false), () => false, new Rhythm())
    const stop = () => opened.abandon(new RemodelError('cancelled', 'it is watched no longer'))
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    try {
      await opened.result
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  async renew(): Promise<{ freeBytes: number }> {
    const [free] = decodeWords((await this.#ask('N', [], 'A')).payload)
    return { freeBytes: Number(free) }
  }

  async endProcesses(): Promise<void> {
    await this.#ask('W', [], 'A')
  }

  close(): void {
    this.#closed = true
    for (const open of this.#calls) open.abandon(new RemodelError('cancelled', 'the connection was closed'))
  }

  #words(words: readonly (string | number)[], fenced: boolean): Buffer {
    const all = fenced ? [this.#fence?.scope ?? '', this.#fence?.number ?? 0, ...words] : words
    if (all.some((word) => String(word).includes('\0'))) {
      throw new RemodelError('invalid-input', 'a NUL byte cannot be passed to a VM')
    }
    return encodeWords(all)
  }

  async #open(type: string, payload: Buffer, onFrame: (frame: Frame) => boolean, pace?: Pace): Promise<Call> {
    if (this.#closed) throw new RemodelError('cancelled', 'the connection was closed')
    const opened = await call(this.#vm, { type, payload, pace }, onFrame)
    this.#calls.add(opened)
    const forget = () => void this.#calls.delete(opened)
    opened.result.then(forget, forget)
    if (this.#closed) opened.abandon(new RemodelError('cancelled', 'the connection was closed'))
    return opened
  }

  async #ask(type: string, words: readonly (string | number)[], answer: string, fenced = true): Promise<Frame> {
    const opened = await this.#open(type, this.#words(words, fenced), (frame) => frame.type === answer)
    return opened.result
  }

  async #run(
    argv: readonly string[],
    options: ExecOptions & { onCall?: (call: Call) => void },
    onOutput: (chunk: Buffer, from: 'stdout' | 'stderr') => void,
  ): Promise<{ exitCode: number | null; signal: string | null }> {
    const { signal } = options
    if (argv.length === 0) throw new RemodelError('invalid-input', 'a command needs at least its name')
    if (signal?.aborted) throw stopped('cancelled', argv, signal.reason)
    const env = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`)
    const payload = this.#words([options.cwd ?? '/', argv.length, ...argv, env.length, ...env], true)
    const stdin = new Stdin()
    let ending: Error | undefined
    const opened = await this.#open('E', payload, (frame) => {
      try {
        if (frame.type === 'O' || frame.type === 'R') onOutput(frame.payload, frame.type === 'O' ? 'stdout' : 'stderr')
      } catch (error) {
        // The caller's own fault must reach the caller, not the socket's event.
        queueMicrotask(() => kill(toError(error)))
      }
      if (frame.type === 'G') stdin.granted(frame.payload.readUInt32LE(0))
      return frame.type === 'T'
    })
    options.onCall?.(opened)
    // The agent answers a kill when all of the command is gone, so a caller may rely on the end that it gets.
    const kill = (error: Error) => {
      ending ??= error
      opened.send('K')
    }
    const abort = () => kill(stopped('cancelled', argv, signal?.reason))
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    const { timeoutMs } = options
    const timer =
      timeoutMs === undefined ? undefined : after(timeoutMs, () => kill(stopped('deadline', argv, undefined)))
    void stdin.feed(opened, options.stdin).catch((cause) => {
      // A fault of a source has its own code and details.
      const known = cause instanceof RemodelError ? cause : undefined
      const message = `the input of ${argv[0]} failed: ${toError(cause).message}`
      kill(new RemodelError(known?.code ?? 'infrastructure', message, { cause, details: known?.details ?? {} }))
    })
    try {
      const [code, number] = decodeWords((await opened.result).payload)
      if (ending) throw ending
      return {
        exitCode: code ? Number(code) : null,
        signal: number ? (signalNames.get(Number(number)) ?? `SIG${number}`) : null,
      }
    } finally {
      timer?.end()
      signal?.removeEventListener('abort', abort)
      stdin.end()
      // A source that will not be read any more must not stay open.
      if (options.stdin instanceof Readable) options.stdin.destroy()
    }
  }
}

function unreadable(exitCode: number | null, complaint: BoundedOutput): RemodelError {
  const code = exitCode === noSuchFile ? 'not-found' : 'job-failed'
  return new RemodelError(code, `reading failed: ${complaint.toString().trim()}`)
}

function stopped(code: 'cancelled' | 'deadline', argv: readonly string[], cause: unknown): RemodelError {
  const what = code === 'cancelled' ? 'was cancelled' : 'ran out of its time and was killed'
  return new RemodelError(code, `${argv[0]} ${what}`, { cause })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof RemodelError ? error.code : undefined
}
