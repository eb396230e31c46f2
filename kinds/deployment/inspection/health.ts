import type { ProcessStatus } from '../../../shared/provider/connection.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import type { Health } from '../plan/observations.ts'

const patienceMs = 1000

/**
 * Asks a machine how its processes do. One that does not answer within a second is `unresponsive`, whatever the reason:
 * the plan says so and leaves it alone unless something about it changes.
 */
export async function healthOf(provider: Provider, cid: string, shouldRun: boolean): Promise<Health> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs)
  })
  // A late answer is of no use to anybody, and neither is its failure.
  const answer = status(provider, cid).catch(() => null)
  const processes = await Promise.race([answer, late])
  clearTimeout(timer)
  if (processes === null) return 'unresponsive'
  return processes.some((one) => isFailing(one, shouldRun)) ? 'failing' : 'running'
}

async function status(provider: Provider, cid: string): Promise<ProcessStatus[]> {
  const connection = await provider.connect(cid, null)
  try {
    return await connection.status()
  } finally {
    connection.close()
  }
}

function isFailing(one: ProcessStatus, shouldRun: boolean): boolean {
  return one.state === 'failing' || (shouldRun && one.state === 'stopped')
}
