import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { Actor } from '../../../shared/model/actor.ts'
import { localUser } from '../../../shared/runtime/local-user.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; `guard` has let it in. */
    actor: Actor
  }
}

/**
 * Who has come in. Through the socket of the home it is the planner's own user, as no other one can open that. Over TCP
 * the token is all that is proved: the user is what the client says, and is shown as such.
 */
export function callerOf(request: FastifyRequest, local: WeakSet<Socket>): Actor {
  const via = header(request, 'x-remodel-client') === 'cli' ? 'cli' : 'http'
  if (local.has(request.raw.socket)) return { kind: 'person', name: localUser(), via }
  if (request.headers.authorization !== undefined) return { kind: 'token', name: said(request) ?? 'unnamed', via }
  return { kind: 'person', name: localUser(), via: 'board' }
}

function said(request: FastifyRequest): string | undefined {
  try {
    const name = decodeURIComponent(header(request, 'x-remodel-user') ?? '')
    return /^[^\p{C}]{1,300}$/u.test(name) ? name : undefined
  } catch {
    return undefined
  }
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}
