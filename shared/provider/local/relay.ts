import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { RemodelError, toError } from '../../runtime/errors.ts'
import type { Connection } from '../connection.ts'
import { layout } from '../layout.ts'

type Machine = Pick<Connection, 'exec' | 'write'>

/** Exits of agent/relay.c. An agent that does not know the built-in answers 1. */
const exits = { unknown: 1, missing: 2 }

/** A stream to a unix socket of a VM; see `Connection.dial`. */
export async function openRelay(machine: Machine, socket: string, binary: () => Promise<string>): Promise<Duplex> {
  const opened = await attempt(machine, ['\u0001relay', socket])
  if (opened instanceof Duplex) return opened
  const retried = opened === exits.unknown ? await attempt(machine, await byFile(machine, socket, binary)) : opened
  if (retried instanceof Duplex) return retried
  if (retried === exits.missing) throw new RemodelError('not-found', `there is no socket ${socket}`)
  throw new RemodelError('infrastructure', `the socket ${socket} cannot be reached`)
}

/** The relay as a program of its own, for a VM that was made before its agent had one. */
async function byFile(machine: Machine, socket: string, binary: () => Promise<string>): Promise<string[]> {
  const local = await binary()
  const program = `${layout.data}/remodel/${basename(local)}`
  if ((await machine.exec(['test', '-x', program])).exitCode !== 0) {
    await machine.write(program, await readFile(local), 0o755)
  }
  return [program, 'relay', socket]
}

/** A stream once it is connected, else what the relay exited with. */
function attempt(machine: Machine, argv: readonly string[]): Promise<Duplex | number | null> {
  const stdin = new PassThrough()
  const ending = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<Duplex | number | null>()
  const stream = new Duplex({
    allowHalfOpen: false,
    read() {},
    write: (chunk, _encoding, done) => void (stdin.write(chunk) ? done() : stdin.once('drain', done)),
    final(done) {
      stdin.end()
      done()
    },
    destroy(error, done) {
      ending.abort()
      stdin.destroy()
      done(error)
    },
  })
  let connected = false
  const onOutput = (chunk: Buffer, from: 'stdout' | 'stderr') => {
    if (from === 'stderr') return
    const first = !connected
    connected = true
    if (first) resolve(stream)
    const rest = first ? chunk.subarray(1) : chunk
    if (rest.length > 0) stream.push(Buffer.from(rest))
  }
  machine.exec(argv, { stdin, signal: ending.signal, onOutput }).then(
    ({ exitCode }) => {
      // Bytes that wait to be sent have no reader any more.
      stream.once('end', () => stream.destroy())
      stream.push(null)
      resolve(exitCode)
    },
    (error) => {
      if (connected) stream.destroy(toError(error))
      else reject(error)
    },
  )
  return promise
}
