import type { Socket } from 'node:net'
import { type ErrorCode, RemodelError } from '../../runtime/errors.ts'
import { decodeWords, encodeFrame, type Frame, FrameReader } from './frames.ts'
import { dial } from './socket.ts'

/** How often an agent is asked for a sign of life, and after how many such ticks without one it is silent. */
export interface Pace {
  readonly tickMs: number
  readonly patience: number
  /** It said something, so many ticks after the last time. */
  heard?(ticks: number): void
}

interface Request {
  type: string
  payload: Uint8Array
  /** Every second and four ticks, if left out. */
  pace?: Pace | undefined
}

const usual: Pace = { tickMs: 1000, patience: 4 }

/** One request to an agent: its own connection, open until the answer is complete. */
export interface Call {
  send(type: string, payload?: Uint8Array): void
  /** Settles with what `onFrame` gave; rejects with the error of the agent, or `infrastructure` where it is silent. */
  readonly result: Promise<Frame>
  /** Takes no more frames until `resume`: the agent then lets its command wait. */
  pause(): void
  resume(): void
  /** Ends the call with this error; the agent kills what it still runs for it. */
  abandon(error: RemodelError): void
}

/**
 * Sends a request. Frames go to `onFrame` until it returns true for the last one. The agent is pinged, every second
 * as a rule, and has to say anything at all within 4 s; ticks are counted, not time, so that a process that was itself
 * frozen does not blame the machine.
 */
export async function call(
  vm: { directory: string; id: string },
  { type, payload, pace = usual }: Request,
  onFrame: (frame: Frame) => boolean,
): Promise<Call> {
  let socket: Socket
  try {
    socket = await dial(vm.directory, vm.id)
  } catch (cause) {
    throw new RemodelError('infrastructure', `VM ${vm.id} is not running`, { cause, details: { lost: vm.id } })
  }
  if (socket.destroyed) throw lost(vm.id)
  const { promise, resolve, reject } = Promise.withResolvers<Frame>()
  const reader = new FrameReader()
  let silent = 0
  let settled = false
  const settle = (finish: () => void) => {
    if (settled) return
    settled = true
    clearInterval(timer)
    socket.destroy()
    finish()
  }
  const abandon = (error: RemodelError) => settle(() => reject(error))
  const timer = setInterval(() => {
    // Not heard, because we do not listen.
    if (socket.isPaused()) return
    silent += 1
    if (silent >= pace.patience) abandon(new RemodelError('infrastructure', `VM ${vm.id} does not answer`))
    else socket.write(encodeFrame('P'))
  }, pace.tickMs)
  socket.on('error', (cause) => abandon(lost(vm.id, cause)))
  socket.on('close', () => abandon(lost(vm.id)))
  socket.on('data', (chunk: Buffer) => {
    pace.heard?.(silent)
    silent = 0
    for (const frame of reader.push(chunk)) {
      if (settled || frame.type === 'P') continue
      if (frame.type === 'X') {
        const [code, message] = decodeWords(frame.payload)
        abandon(new RemodelError(code as ErrorCode, `VM ${vm.id}: ${message}`))
      } else if (onFrame(frame)) settle(() => resolve(frame))
    }
  })
  socket.write(encodeFrame(type, payload))
  const send = (type: string, payload?: Uint8Array) => void (settled || socket.write(encodeFrame(type, payload)))
  const resume = () => {
    silent = 0
    socket.resume()
  }
  return { send, result: promise, abandon, pause: () => void socket.pause(), resume }
}

/** `details.lost` names the VM: the connection knows before the provider's list does. */
function lost(vm: string, cause?: unknown): RemodelError {
  return new RemodelError('infrastructure', `VM ${vm} was lost`, { cause, details: { lost: vm } })
}
