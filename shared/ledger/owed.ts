import type { Fence, Provider } from '../provider/provider.ts'
import { RemodelError } from '../runtime/errors.ts'
import { failpoint } from '../runtime/failpoint.ts'
import type { Ledger, OwedFence } from './ledger.ts'

/** The scope under which machines know the fences of a material: materials of two deployments may have one name. */
export function fenceOf(deployment: string, material: string, number: number): Fence {
  return { scope: `${deployment}:${material}`, number }
}

/**
 * Shows machines what a deployment owes them (`attempts.lua`: abandon, owe): the fences of attempts that others ended,
 * whose workers may only sleep. Planners do so as soon as such an attempt ends, assemblers before they carry out
 * anything else of the deployment.
 *
 *   owed, no machine was asked  -- all machines of the deployment that run are shown the fence -->  paid
 *                               -- some did not answer -->  owed by those (`left`)
 *   owed by some machines       -- a connection to one of them shows it first -->  owed by the others, at last paid
 *
 * So a machine that does not answer holds up nothing but what needs that machine.
 */
export class OwedFences {
  readonly #ledger: Ledger
  readonly #provider: Provider
  readonly #rounds = new Map<string, { running: Promise<void>; next?: Promise<void> }>()

  constructor(ledger: Ledger, provider: Provider) {
    this.#ledger = ledger
    this.#provider = provider
  }

  /** For an attempt: pays what can be paid; the provider that it must use pays the rest machine by machine. */
  async inFront(deployment: string): Promise<Provider> {
    await this.pay(deployment)
    const owed = await this.#ledger.owed(deployment)
    return owed.length === 0 ? this.#provider : this.#guarded(deployment, owed)
  }

  /** Shows all fences that no machine was shown yet. Calls that come together share a round that begins after them. */
  pay(deployment: string): Promise<void> {
    const round = this.#rounds.get(deployment)
    if (!round) return this.#begin(deployment)
    round.next ??= round.running.catch(() => {}).then(() => this.#begin(deployment))
    return round.next
  }

  /** Asks machines again that did not answer; returns whether some are left. */
  async askAgain(deployment: string): Promise<boolean> {
    const owed = (await this.#ledger.owed(deployment)).filter(({ left }) => left !== null)
    if (owed.length > 0) await this.#show(deployment, owed, [...new Set(owed.flatMap(({ left }) => left ?? []))])
    return (await this.#ledger.owed(deployment)).length > 0
  }

  #begin(deployment: string): Promise<void> {
    const running = this.#round(deployment).finally(() => {
      if (this.#rounds.get(deployment) === round) this.#rounds.delete(deployment)
    })
    const round = { running }
    this.#rounds.set(deployment, round)
    return running
  }

  async #round(deployment: string): Promise<void> {
    const owed = (await this.#ledger.owed(deployment)).filter(({ left }) => left === null)
    if (owed.length > 0) await this.#show(deployment, owed)
  }

  async #show(deployment: string, owed: readonly OwedFence[], only?: readonly string[]): Promise<void> {
    const fences = owed.map(({ material, fence }) => fenceOf(deployment, material, fence))
    const silent = await this.#provider.fenceOff(fences, { owner: `deployment/${deployment}` }, only)
    await failpoint('owed.shown')
    const left = (before: string[] | null) =>
      silent.concat(only ? (before ?? []).filter((vm) => !only.includes(vm)) : [])
    await this.#ledger.paid(
      deployment,
      owed.map((one) => ({ ...one, left: left(one.left) })),
    )
  }

  #guarded(deployment: string, owed: readonly OwedFence[]): Provider {
    const connect: Provider['connect'] = async (vm, fence) => {
      const here = owed.filter(({ left }) => left?.includes(vm))
      if (here.length > 0) await this.#show(deployment, here, [vm])
      const still = await this.#ledger.owed(deployment)
      if (still.some(({ left }) => left?.includes(vm)))
        throw new RemodelError('infrastructure', `VM ${vm} does not answer, and it must be shown a fence first`)
      return this.#provider.connect(vm, fence)
    }
    return new Proxy(this.#provider, {
      get: (provider, name) => {
        if (name === 'connect') return connect
        const found = Reflect.get(provider, name)
        return typeof found === 'function' ? found.bind(provider) : found
      },
    })
  }
}
