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

/**
 * Why the reader of a link could not connect the last time, in PostgreSQL's words; empty where the log does not tell.
 */
export function whyNotConnected(log: string, link: string): string {
  for (const line of log.split('\n').toReversed()) {
    const refused = new RegExp(`subscription "${link}" could not connect to the publisher: (.*)$`).exec(line)?.[1]
    if (refused !== undefined) return refused
    const spent = /(out of (?:logical replication|background) worker slots)/.exec(line)?.[1]
    if (spent !== undefined) return spent
  }
  return ''
}
