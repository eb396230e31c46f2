import type { Duplex, Readable } from 'node:stream'

/** How to run a command on a machine. */
export interface ExecOptions {
  /** The whole environment: nothing is inherited but PATH. */
  env?: Record<string, string>
  cwd?: string
  stdin?: Readable | Uint8Array | string
  /** Aborting kills the command and everything it started, then fails with `cancelled`. */
  signal?: AbortSignal
  /**
   * After this many milliseconds the command and everything it started is killed, and the call fails with `deadline`.
   */
  timeoutMs?: number
  /** Called with output as it comes. */
  onOutput?: (chunk: Buffer, from: 'stdout' | 'stderr') => void
}

export interface ExecResult {
  /** null where a signal ended it. */
  exitCode: number | null
  signal: string | null
  /** At most 64 KiB head and 64 KiB tail, with a line that says how much was left out. */
  stdout: string
  stderr: string
}

/** A process as a `check process` part of a monit file describes it. */
export interface ProcessDefinition {
  name: string
  pidfile: string
  /** Shell command lines. */
  start: string
  stop: string
  startTimeoutSeconds?: number
}

export interface ProcessStatus {
  name: string
  state: 'stopped' | 'starting' | 'running' | 'failing'
  pid: number | null
  /** How often it was started again because it died. */
  restarts: number
  /** Milliseconds since it was last seen to come up; 0 where it is not running. */
  uptimeMs: number
}

/** How supervised processes came to their end. */
export type Stopped = 'ended' | 'killed'

/**
 * The way to one machine. A call on a machine that does not answer fails with `infrastructure` within 5 s; a call whose
 * fence is too small fails with `superseded` and nothing is run.
 */
export interface Connection {
  /**
   * Ends when the command does; daemons it left behind live on. A command that does not exist exits with 127, as in a
   * shell. A source of stdin that was not read to its end is destroyed.
   */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>
  /**
   * Unpacks a tar or tar.gz below `directory` (made if missing). Fails with `job-failed` where it cannot be unpacked.
   */
  unpack(directory: string, archive: Readable | Uint8Array): Promise<void>
  /**
   * Makes missing directories; a reader sees the old content or all of the new. Mode 0644 unless given.
   * `job-failed` where it cannot.
   */
  write(path: string, content: Uint8Array | string, mode?: number): Promise<void>
  /** The whole file. `not-found` where there is none. */
  read(path: string): Promise<Buffer>
  /**
   * As `read`, for a file that may be large: the machine goes no faster than its reader.
   * Destroying it ends the reading.
   */
  stream(path: string): Readable
  /**
   * A stream to a unix socket on the machine: the way to what listens nowhere else. Rejects with `not-found`
   * where there is no such socket. Its other end closes when this one is destroyed, when the connection is
   * closed, or when this process ends.
   */
  dial(socket: string): Promise<Duplex>
  /**
   * Replaces the set of supervised processes; running ones that stay in the set are left alone, ones that leave it are
   * stopped (killed after 10 s) before this returns. New ones are stopped until `start`.
   */
  supervise(processes: readonly ProcessDefinition[]): Promise<void>
  /** Starts all supervised processes; returns when their start commands were run, not when they are healthy. */
  start(): Promise<void>
  /**
   * Stops all supervised processes and waits until they are gone, killing what is left after `timeoutMs`.
   * Answers `killed` where one of them was killed since it was started last: it had no time to write down
   * what it had in memory.
   */
  stop(timeoutMs: number): Promise<Stopped>
  status(): Promise<ProcessStatus[]>
  /**
   * Keeps in touch with the machine until the signal is aborted. Rejects with `infrastructure` at once when the machine
   * ends (`details.lost`), and where it says nothing for much longer than it ever did.
   */
  watch(signal: AbortSignal): Promise<void>
  /**
   * Makes a renewable VM as new: every process is ended, and no file, mount, socket, setting or shared memory of
   * before is there, whatever was done with it. Nothing is done where no command has run since it was new. Answers
   * how much of its disk is free; what an earlier renewal took away is counted as free. `infrastructure` where it
   * cannot: the VM is of no use any more.
   */
  renew(): Promise<{ freeBytes: number }>
  /** Ends every process of a renewable VM; when this returns none is left, however it was started. Files stay. */
  endProcesses(): Promise<void>
  close(): void
}
