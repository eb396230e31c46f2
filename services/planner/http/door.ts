import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { sameSecret } from '../../../shared/runtime/token.ts'
import type { BoardVisits } from './board/visits.ts'
import { callerOf } from './caller.ts'
import { problemOf } from './problem.ts'

/** Which callers are let in. */
export interface Access {
  /** What a caller over TCP shows as `Authorization: Bearer`. Without one only callers of the socket come in. */
  token?: string | undefined
  /** Names by which callers may ask this planner, beside localhost and the address that it listens on. */
  hosts: readonly string[]
  /** Connections through the unix socket: the file system has said already who may use it. */
  local: WeakSet<Socket>
}

export const noAccess: Access = { hosts: [], local: new WeakSet() }

const patienceMs = 2000
const safe = new Set(['GET', 'HEAD', 'OPTIONS'])
const guards = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

/**
 * Looks at every request before anything else does: routes, the board, event streams, and what is no route at all.
 *
 * 1. `Host` must be a name of this planner: a page whose own name was pointed at this address (DNS
 *    rebinding) is refused.
 * 2. `Origin`, where a browser sends one, must be this very host; a change that a browser asks for
 *    another site is refused.
 * 3. The caller must come through the socket or show the token; a browser may look at the board with the cookie that
 *    `remodel board` got it.
 */
export function guard(server: FastifyInstance, access: Access, visits: BoardVisits): void {
  server.decorateRequest('actor')
  server.addHook('onRequest', async (request, reply) => {
    for (const [name, value] of Object.entries(guards)) reply.raw.setHeader(name, value)
    const refusal = wrongHost(request, access) ?? wrongOrigin(request) ?? unknownCaller(request, access, visits)
    if (refusal === undefined) {
      request.actor = callerOf(request, access.local)
      return
    }
    const problem = problemOf(refusal)
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
    endUnread(request)
    // Answered here: the board has a handler of errors of its own, which would make it a failure of the server.
    return reply.status(problem.status).type('application/problem+json').send(problem)
  })
}

/**
 * A refused caller may not hold a connection with a body that it does not send; one that sends it
 * reads the refusal first.
 */
function endUnread({ raw }: FastifyRequest): void {
  const timer = setTimeout(() => {
    if (!raw.complete) raw.socket.destroy()
  }, patienceMs)
  timer.unref()
}

function wrongHost(request: FastifyRequest, { hosts }: Access): RemodelError | undefined {
  const name = hostName(request.headers.host)
  const address = request.raw.socket.localAddress?.replace(/^::ffff:/, '')
  const own = ['localhost', '127.0.0.1', '[::1]', address?.includes(':') ? `[${address}]` : address, ...hosts]
  if (name !== undefined && own.includes(name)) return undefined
  return new RemodelError(
    'forbidden',
    `${JSON.stringify(request.headers.host ?? '')} is no name of this planner; REMODEL_HOSTS gives it more names`,
  )
}

function wrongOrigin({ method, headers }: FastifyRequest): RemodelError | undefined {
  const { origin, host, 'sec-fetch-site': site } = headers
  if (origin !== undefined && !isSameHost(origin, host))
    return new RemodelError('forbidden', 'a page of another origin may not ask this planner')
  if (!safe.has(method) && site !== undefined && site !== 'same-origin' && site !== 'none')
    return new RemodelError('forbidden', 'a page of another site may not change anything here')
  return undefined
}

function unknownCaller(request: FastifyRequest, access: Access, visits: BoardVisits): RemodelError | undefined {
  if (isKnown(request, access, visits)) return undefined
  return new RemodelError(
    'unauthenticated',
    'the planner answers its own socket, and callers that show the token in the file `token` of its home; for the board: `remodel board`',
  )
}

function isKnown(request: FastifyRequest, { token, local }: Access, visits: BoardVisits): boolean {
  if (local.has(request.raw.socket)) return true
  const shown = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token !== undefined && shown !== undefined && sameSecret(shown, token)) return true
  const route = request.routeOptions.url
  if (!safe.has(request.method) || route === undefined) return false
  return visits.opens(route, request.headers.cookie)
}

/** Host without its port, in lower case; undefined where it is none. */
function hostName(header: string | undefined): string | undefined {
  return /^(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::\d{1,5})?$/.exec(header?.toLowerCase() ?? '')?.[1]
}

function isSameHost(origin: string, host: string | undefined): boolean {
  if (!/^https?:\/\//.test(origin) || !URL.canParse(origin)) return false
  const here = `${new URL(origin).protocol}//${host}`
  return URL.canParse(here) && new URL(here).host === new URL(origin).host
}
