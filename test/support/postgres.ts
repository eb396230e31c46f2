import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { postgresBinaries } from '../../shared/postgres/binaries.ts'
import type { Address, Machines } from '../../shared/postgres/way-in.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import { freePort } from './redis.ts'

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
  const directory = mkdtempSync(join(tmpdir(), 'remodel-postgres-'))
  const run = (program: string, ...args: string[]) =>
    execFileSync(join(postgresBinaries(), program), args, { uid: user, gid: user, cwd: directory, stdio: 'ignore' })
  const data = join(directory, 'data')
  chownSync(directory, user, user)
  chmodSync(directory, 0o700)
  const port = await freePort()
  run('initdb', '-D', data, '-U', 'remodel', '-A', 'trust', '--no-sync')
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: directory, fsync: 'off', ...settings }
  const options = [`-p ${port}`, ...Object.entries(all).map(([name, value]) => `-c ${name}=${value}`)].join(' ')
  run('pg_ctl', '-D', data, '-w', '-o', options, '-l', join(directory, 'log'), 'start')
  return {
    at: { vm: 'host', address: '127.0.0.1', port },
    host: hostAsMachine(directory),
    log: () => readFileSync(join(directory, 'log'), 'utf8'),
    stop() {
      run('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop')
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
