import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { postgresBinaries } from '../../../kinds/database/postgres/binaries.ts'
import { openSession, type Session } from '../../../kinds/database/postgres/server.ts'
import type { Address, Machines } from '../../../kinds/database/postgres/way-in.ts'
import type { Connection } from '../../../shared/provider/connection.ts'
import { freePort } from '../../support/redis.ts'

const user = 65534

/** A server of a test's own, on this host instead of a machine. */
export interface TestServer {
  at: Address
  /** This host as the server's machine. */
  host: Machines
  log(): string
  stop(): void
}

export async function startPostgres(settings: Record<string, string> = {}): Promise<TestServer> {
  const directory = newDirectory()
  initialise(directory)
  return start(directory, await freePort(), settings)
}

/**
 * As the admin role, and with the names that a client has: a session of Remodel's own finds what is PostgreSQL's
 * only.
 */
export async function openAsClient(...of: Parameters<typeof openSession>): Promise<Session> {
  const session = await openSession(...of)
  await session.query(`SET search_path = public; SET restrict_nonsystem_relation_kind = ''; SET event_triggers = on`)
  return session
}

/** A server and one that follows it, as `standby`, and that its commits wait for. */
export async function startPair(): Promise<{ primary: TestServer; standby: TestServer }> {
  const [first, second] = [newDirectory(), newDirectory()]
  initialise(first)
  const data = join(second, 'data')
  runAs(second, '/bin/cp', '-a', join(first, 'data'), data)
  runAs(second, '/bin/touch', join(data, 'standby.signal'))
  const port = await freePort()
  const primary = start(first, port, { synchronous_standby_names: 'standby' })
  const upstream = `'host=127.0.0.1 port=${port} user=remodel application_name=standby'`
  return { primary, standby: start(second, await freePort(), { primary_conninfo: upstream }) }
}

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'remodel-postgres-'))
  chownSync(directory, user, user)
  chmodSync(directory, 0o700)
  return directory
}

function runAs(directory: string, program: string, ...args: string[]): void {
  execFileSync(program, args, { uid: user, gid: user, cwd: directory, stdio: 'ignore' })
}

function initialise(directory: string): void {
  const initdb = join(postgresBinaries(), 'initdb')
  runAs(directory, initdb, '-D', join(directory, 'data'), '-U', 'remodel', '-A', 'trust', '--no-sync')
}

function start(directory: string, port: number, settings: Record<string, string>): TestServer {
  const data = join(directory, 'data')
  const control = (...args: string[]) => runAs(directory, join(postgresBinaries(), 'pg_ctl'), '-D', data, '-w', ...args)
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: directory, fsync: 'off', ...settings }
  const options = [`-p ${port}`, ...Object.entries(all).map(([name, value]) => `-c ${name}=${value}`)].join(' ')
  control('-o', options, '-l', join(directory, 'log'), 'start')
  return {
    at: { vm: 'host', address: '127.0.0.1', port },
    host: hostAsMachine(directory),
    log: () => readFileSync(join(directory, 'log'), 'utf8'),
    stop() {
      control('-m', 'immediate', 'stop')
      rmSync(directory, { recursive: true })
    },
  }
}

function hostAsMachine(directory: string): Machines {
  const connection: Pick<Connection, 'dial' | 'close'> = {
    async dial(path) {
      const socket = createConnection(join(directory, basename(path)))
      await once(socket, 'connect')
      return socket
    },
    close() {},
  }
  return { connect: async () => connection as Connection }
}
