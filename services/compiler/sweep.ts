import type { Logger } from 'pino'
import { toError } from '../../shared/errors.ts'
import type { Heartbeat } from '../../shared/heartbeat.ts'
import type { Provider } from '../../shared/provider/provider.ts'

const everyMs = 3000

/**
 * Takes away the compile VMs of compilers that are gone. Goes by the owner stored on each VM; a compiler that was only
 * paused finds its VM gone when it wakes, and its package has been given to somebody else by then.
 */
export function sweepCompileVms(provider: Provider, heartbeat: Heartbeat, log: Logger): { stop(): void } {
  let running = false
  const sweep = async () => {
    if (running) return
    running = true
    try {
      for (const vm of await provider.listVms()) {
        const { owner } = vm.ownership
        if (!owner.startsWith('compiler/') || (await heartbeat.alive(owner.slice('compiler/'.length)))) continue
        await provider.deleteVm(vm.id, null)
        log.info({ vm: vm.id, owner }, 'deleted a compile VM whose compiler is gone')
      }
    } catch (error) {
      log.warn({ err: toError(error) }, 'sweep of compile VMs failed; the next one tries again')
    } finally {
      running = false
    }
  }
  const timer = setInterval(sweep, everyMs)
  void sweep()
  return { stop: () => clearInterval(timer) }
}
