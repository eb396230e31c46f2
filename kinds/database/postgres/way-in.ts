import type { Duplex } from 'node:stream'
import type { Connection } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'

/** Where a server is: its machine, and what clients of the network connect to. */
export interface Address {
  vm: string
  address: string
  port: number
}

/** Where a server's unix socket is on its machine. */
export const socketDirectory = `${layout.run}/postgres`

/** What it takes to come to a server: the way to its machine. */
export type Machines = Pick<Provider, 'connect'>

/**
 * The way in of the admin role: the server's unix socket, through its machine. The server believes the
 * machine's root, so access to the machine is access to the server, and no process outside has any. Rejects
 * where `signal` aborts first.
 */
export async function dialServer(
  machines: Machines,
  at: Address,
  signal: AbortSignal,
): Promise<{ stream: Duplex; close(): void }> {
  signal.throwIfAborted()
  let machine: Connection | undefined
  const dial = async () => {
    machine = await machines.connect(at.vm, null)
    if (signal.aborted) machine.close()
    return machine.dial(`${socketDirectory}/.s.PGSQL.${at.port}`)
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(late(signal))
  signal.addEventListener('abort', abort, { once: true })
  try {
    const stream = await Promise.race([dial(), aborted])
    return { stream, close: () => machine?.close() }
  } catch (error) {
    machine?.close()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function late({ reason }: AbortSignal): unknown {
  const timeout = reason instanceof Error && reason.name === 'TimeoutError'
  return timeout ? new RemodelError('infrastructure', 'it does not answer in time') : reason
}
