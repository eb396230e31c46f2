import type { Logger } from 'pino'
import type { CompileVmSpec } from '../../shared/compilation/prewarm-hints.ts'
import { toError } from '../../shared/runtime/errors.ts'
import type { CompilePool } from './pool.ts'

/**
 * Follows a planner's hint: VMs of this kind will be wanted soon. Takes one token after the other, so that several
 * compilers share them by their speed; one that has fitting VMs already counts those. Stops where there is no room.
 */
export async function prewarm(
  wish: CompileVmSpec,
  next: () => Promise<boolean>,
  { pool, log }: { pool: CompilePool; log: Logger },
): Promise<void> {
  try {
    for (let ready = pool.ready(wish); ready > 0; ready--) if (!(await next())) return
    while (pool.hasRoom && (await next())) await pool.warm(wish)
  } catch (error) {
    log.warn({ err: toError(error) }, 'compile VMs could not be made ahead')
  }
}
