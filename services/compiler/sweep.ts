import type { Logger } from 'pino'
import type { Provider } from '../../shared/provider/provider.ts'
import { toError } from '../../shared/runtime/errors.ts'
import { type Loop, startLoop } from '../../shared/runtime/loop.ts'
import type { VmLease } from './lease.ts'

const everyMs = 3000

interface Parts {
  provider: Provider
  /** The sweeping process, and the VMs that it works with itself. */
  worker: string
  pool: { knows(id: string): boolean }
  lease: Pick<VmLease, 'over'>
  log: Logger
}

/**
 * Deletes the compile VMs that no compiler holds: those whose lease is over (their compiler died, or was frozen for so
 * long that it has let go of them), and those of our own that are not in our book (a deletion failed). Goes by what is
 * stored on each VM, never by names. Both are final, so what was true when we looked is still true when we delete. One
 * that cannot be deleted is named and tried again by the next sweep; the others go.
 */
export async function sweepOnce({ provider, worker, pool, lease, log }: Parts): Promise<void> {
  const over = new Map<string, Promise<boolean>>()
  for (const vm of await provider.listVms({ owner: 'compiler/' })) {
    const { owner, lease: id = '' } = vm.ownership
    if (owner === `compiler/${worker}`) {
      if (pool.knows(vm.id)) continue
    } else {
      if (!over.has(id)) over.set(id, lease.over(id))
      if (!(await over.get(id))) continue
    }
    await provider.deleteVm(vm.id, null).then(
      () => log.info({ vm: vm.id, owner }, 'deleted a compile VM that no compiler holds'),
      (error) =>
        log.warn(
          { vm: vm.id, owner, err: toError(error) },
          `compile VM ${vm.id} could not be deleted; the next sweep tries again`,
        ),
    )
  }
}

export function sweepCompileVms(parts: Parts): Loop {
  return startLoop({
    everyMs,
    atOnce: true,
    turn: () => sweepOnce(parts),
    failed: (error) => parts.log.warn({ err: toError(error) }, 'sweep of compile VMs failed; the next one tries again'),
  })
}
