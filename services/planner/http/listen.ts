import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { isLoopback } from '../../../shared/runtime/loopback.ts'
import { plannerToken } from '../../../shared/runtime/token.ts'
import type { Access } from './door.ts'
import { answerAtHome } from './socket-at-home.ts'

export interface Listening {
  /** Where it listens for TCP. */
  url: string
  close(): Promise<void>
}

interface ListenAddress {
  host: string
  port: number
}

/** REMODEL_LISTEN as host and port; an IPv6 address is in brackets. Throws `invalid-input`. */
export function listenAddress(text: string | undefined): ListenAddress {
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(text || '127.0.0.1:7070')
  const [, host = '', port = ''] = found ?? []
  if (found && Number(port) <= 65_535) return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
  throw new RemodelError('invalid-input', `REMODEL_LISTEN is ${JSON.stringify(text)}, should be like 127.0.0.1:7070`)
}

/**
 * The access to this planner. The token of the home is for this computer; beyond it the planner listens only with a
 * token that was given on purpose. Throws `invalid-input` where there is none.
 */
export async function accessOf(home: string, env: NodeJS.ProcessEnv = process.env): Promise<Access> {
  const { host } = listenAddress(env.REMODEL_LISTEN)
  if (!isLoopback(host) && !env.REMODEL_TOKEN) {
    throw new RemodelError(
      'invalid-input',
      `REMODEL_LISTEN is ${host}, which other computers can reach: give a token of at least 32 characters in REMODEL_TOKEN, or listen on 127.0.0.1`,
    )
  }
  const names = (env.REMODEL_HOSTS ?? '').split(',').map((name) => name.trim().toLowerCase())
  const hosts = [host.includes(':') ? `[${host}]` : host.toLowerCase(), ...names.filter(Boolean)]
  return { token: await plannerToken(home, env), hosts, local: new WeakSet() }
}

/** Answers over TCP and through `<home>/planner.sock`. */
export async function listen(
  server: FastifyInstance,
  home: string,
  access: Access,
  planner: string,
): Promise<Listening> {
  const url = await server.listen(listenAddress(process.env.REMODEL_LISTEN))
  const socket = createServer((request, response) => server.routing(request, response))
  socket.on('connection', (connection: Socket) => access.local.add(connection))
  const leave = await answerAtHome(socket, home, { url, pid: process.pid, planner })
  return {
    url,
    async close() {
      socket.closeAllConnections()
      await leave()
    },
  }
}
