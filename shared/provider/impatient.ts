import { setTimeout as sleep } from 'node:timers/promises'
import { RemodelError } from '../runtime/errors.ts'
import type { Connection } from './connection.ts'
import type { Provider } from './provider.ts'

/**
 * The provider for one who looks a second time: each of these machines, which another one has called silent, gets so
 * many milliseconds to answer, and not the seconds that a machine has as a rule. All else is as it was.
 */
export function impatient(provider: Provider, machines: ReadonlySet<string>, patienceMs = 1000): Provider {
  if (machines.size === 0) return provider
  const connect: Provider['connect'] = (vm, fence) => {
    const connecting = provider.connect(vm, fence)
    return machines.has(vm) ? within(connecting, vm, patienceMs) : connecting
  }
  return new Proxy(provider, {
    get(of, name) {
      const value = name === 'connect' ? connect : Reflect.get(of, name, of)
      return typeof value === 'function' ? value.bind(of) : value
    },
  })
}

async function within(connecting: Promise<Connection>, vm: string, patienceMs: number): Promise<Connection> {
  const timer = new AbortController()
  const late = sleep(patienceMs, null, { signal: timer.signal }).catch(() => null)
  const connection = await Promise.race([connecting, late]).finally(() => timer.abort())
  if (connection) return connection
  connecting.then(
    (one) => one.close(),
    () => {},
  )
  throw new RemodelError('infrastructure', `VM ${vm} does not answer`)
}
