import { serverLog } from '../../inputs.ts'
import type { Machines } from '../server.ts'

/** A link that has stopped fails again within seconds, so the end of the log tells of it. */
const bytes = 256 * 1024
const timeoutMs = 2000

/** The end of the log of the server on a machine. */
export async function endOfLog(machines: Machines, vm: string): Promise<string> {
  const connection = await machines.connect(vm, null)
  try {
    return (await connection.exec(['tail', '-c', String(bytes), serverLog], { timeoutMs })).stdout
  } finally {
    connection.close()
  }
}
