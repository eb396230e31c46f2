import { isBlobFault } from '../../shared/compilation/sound-packages.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import type { Connection } from '../../shared/provider/connection.ts'
import type { Fence, Provider } from '../../shared/provider/provider.ts'
import { RemodelError, toError } from '../../shared/runtime/errors.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import type { CompilePool } from './pool.ts'

interface Tools {
  pool: CompilePool
  provider: Provider
  breaker: CircuitBreaker
}

/**
 * Takes a VM of the kind that a package asks for, works on it, gives it back. It is handed on only where all went well.
 *
 * Throws `infrastructure` where the VM is at fault, whatever the work said: a script that ended because its
 * machine did is not the package's doing. From the second attempt on the message says whom to look at: it may be
 * what ends its machines.
 */
export async function onVm<T>(
  { spec, attempt, fence }: { spec: CompileSpec; attempt: number; fence: Fence },
  signal: AbortSignal,
  { pool, provider, breaker }: Tools,
  work: (connection: Connection, vm: string) => Promise<T>,
): Promise<T> {
  const vm = await pool.take(spec, signal).catch((error) => {
    if (!signal.aborted) breaker.recordFailure(toError(error))
    throw error
  })
  let ok = false
  try {
    const connection = await provider.connect(vm.id, fence)
    try {
      const result = await work(connection, vm.id)
      ok = true
      breaker.recordSuccess()
      return result
    } finally {
      connection.close()
    }
  } catch (cause) {
    if (signal.aborted) throw cause
    const error = (await isThere(provider, vm.id, cause)) ? toError(cause) : lost(vm.id, spec.name, attempt, cause)
    const code = error instanceof RemodelError ? error.code : 'infrastructure'
    // A fault of a blob says nothing of the VM that was to have it.
    if (code === 'infrastructure' && !isBlobFault(error)) breaker.recordFailure(error)
    if (code === 'job-failed') breaker.recordSuccess()
    throw error
  } finally {
    pool.give(vm, { ok, reuse: spec.reuse })
  }
}

async function isThere(provider: Provider, vm: string, cause: unknown): Promise<boolean> {
  if (cause instanceof RemodelError && cause.details.lost === vm) return false
  const found = await provider.findVm(vm).catch(() => undefined)
  return found?.state === 'running'
}

function lost(vm: string, name: string, attempt: number, cause: unknown): RemodelError {
  const again = attempt > 1 ? `: ${name} may be what ends its VMs` : ''
  return new RemodelError('infrastructure', `compile VM ${vm} was lost while it compiled ${name}${again}`, { cause })
}
