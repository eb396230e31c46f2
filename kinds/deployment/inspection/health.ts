import type { ProcessStatus } from '../../../shared/provider/connection.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import type { Health } from '../plan/observations.ts'

const patienceMs = 1000

/** Of the processes of an instance: that they run; that none does, as a person wants that; or either. */
export type Wanted = 'running' | 'stopped' | 'either'

/**
 * Asks a machine how its processes do. One that does not answer within a second is `unresponsive`, whatever the reason:
 * the plan says so and leaves it alone unless something about it changes.
 */
export async function healthOf(provider: Provider, cid: string, wanted: Wanted): Promise<Health> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs)
  })
  // A late answer is of no use to anybody, and neither is its failure.
  const answer = status(provider, cid).catch(() => null)
  const processes = await Promise.race([answer, late])
  clearTimeout(timer)
  if (processes === null) return 'unresponsive'
  return processes.some((one) => isFailing(one, wanted)) ? 'failing' : 'running'
}

async function status(provider: Provider, cid: string): Promise<ProcessStatus[]> {
  const connection = await provider.connect(cid, null)
  try {
    return await connection.status()
  } finally {
    connection.close()
  }
}

function isFailing({ state }: ProcessStatus, wanted: Wanted): boolean {
  return (
    state === 'failing' || (wanted === 'running' ? state === 'stopped' : wanted === 'stopped' && state !== 'stopped')
  )
}
