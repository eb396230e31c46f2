import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Readable } from 'node:stream'
import { RemodelError } from '../runtime/errors.ts'
import { localUser } from '../runtime/local-user.ts'
import { socketAddress } from '../runtime/planner-socket.ts'
import { type Address, withoutPassword } from './address.ts'

export interface Call {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  path: string
  headers?: Record<string, string>
  body?: string | Uint8Array | Readable
  /** Milliseconds until the answer must have begun. */
  timeoutMs: number
  signal?: AbortSignal | undefined
}

const noSocket = new Set(['ENOENT', 'ECONNREFUSED'])

/**
 * One HTTP call. Throws `unavailable` where the planner cannot be reached, `deadline` where it does not answer in time.
 *
 * `node:http` and not `fetch`: it spares 25 ms of start-up on every command, and `fetch` gives up on an answer that
 * takes longer than five minutes, as a command on an instance may.
 */
export function send(address: Address, call: Call): Promise<IncomingMessage> {
  const url = new URL(address.url + call.path)
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const { body } = call
  const headers: Record<string, string> = {
    accept: 'application/json',
    'x-remodel-user': encodeURIComponent(localUser()),
    ...(address.client === undefined ? {} : { 'x-remodel-client': address.client }),
    ...call.headers,
  }
  const token = address.token ?? process.env.REMODEL_TOKEN
  if (address.socket === undefined && token) headers.authorization = `Bearer ${token}`
  if (typeof body === 'string' || body instanceof Uint8Array)
    headers['content-length'] = String(Buffer.byteLength(body))

  const request = (url.protocol === 'https:' ? https : http).request(url, {
    method: call.method,
    headers,
    ...(address.socket === undefined ? {} : { socketPath: socketAddress(address.socket) }),
    ...(call.signal ? { signal: call.signal } : {}),
  })
  const timer = setTimeout(() => {
    request.destroy(
      new RemodelError(
        'deadline',
        `the planner at ${address.url} did not answer within ${Math.round(call.timeoutMs / 1000)} s`,
      ),
    )
  }, call.timeoutMs)
  request.once('response', (response) => {
    clearTimeout(timer)
    resolve(response)
  })
  request.once('error', (error: NodeJS.ErrnoException) => {
    clearTimeout(timer)
    if (call.signal?.aborted || error instanceof RemodelError) return reject(error)
    // A kept connection that the planner closed just now: the planner has not seen the request, so it is sent once
    // more.
    const repeatable = !(body instanceof Object && 'pipe' in body)
    // Left by a planner that was killed; another one of this home may answer at its address.
    if (address.socket !== undefined && repeatable && noSocket.has(error.code ?? ''))
      return resolve(send({ ...address, socket: undefined }, call))
    if (request.reusedSocket && error.code === 'ECONNRESET' && repeatable) return resolve(send(address, call))
    reject(unreachable(address, error))
  })
  if (body instanceof Object && 'pipe' in body) {
    body.once('error', (error) => request.destroy(error))
    body.pipe(request)
  } else request.end(body)
  return promise
}

/** All of an answer as text. */
export async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response) text += chunk
  return text
}

/** The sentence for a planner that does not answer: its address, where the address came from, what to do. */
function unreachable(address: Address, cause: unknown): RemodelError {
  const advice = {
    option: 'check the address given with --planner',
    environment: 'check $REMODEL_URL (or $REMODEL_PLANNER)',
    up: 'see log/planner.log in the folder of `remodel up`, which starts it again by itself',
    default: 'start one with `remodel up`, or name another with --planner URL',
  }[address.source]
  return new RemodelError('unavailable', `no planner answers at ${withoutPassword(address.url)}: ${advice}`, {
    details: { planner: withoutPassword(address.url) },
    cause,
  })
}
