import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { Keeper, KeeperContext } from '../../kinds/contract/keeper.ts'
import type { Claims } from '../../shared/lock/claims.ts'
import { RemodelError, toError } from '../../shared/runtime/errors.ts'
import { startLoop } from '../../shared/runtime/loop.ts'
import { orAborted, Ticks } from '../../shared/runtime/ticks.ts'

const lookMs = 5000
const kinds = new URL('../../kinds/', import.meta.url)

/** Every `kinds/<kind>/keepers/<name>.ts`, by name. */
export async function findKeepers(): Promise<Map<string, Keeper>> {
  const found = new Map<string, Keeper>()
  for (const kind of await readdir(kinds)) {
    const folder = new URL(`${kind}/keepers/`, kinds)
    if (!existsSync(folder)) continue
    for (const file of await readdir(folder)) {
      const { default: keeper } = (await import(new URL(file, folder).href)) as { default: Keeper }
      found.set(file.slice(0, -'.ts'.length), keeper)
    }
  }
  return found
}

/**
 * Runs a keeper: every few seconds each of its deployments is offered a tick. Of several assemblers one does it for a
 * deployment; a tick that hangs is let go, and those of other deployments are not held up.
 */
export function startKeeper(
  name: string,
  keeper: Keeper,
  { claims, worker, ...context }: KeeperContext & { claims: Claims; worker: string },
): { stop(): Promise<void> } {
  const ticks = new Ticks({
    width: keeper.width,
    limitMs: keeper.limitMs,
    failed: (deployment, error) =>
      context.log.warn({ deployment, keeper: name, err: toError(error) }, 'a keeper failed; it is tried again'),
  })
  const inTurn = async (deployment: string, signal: AbortSignal) => {
    const held = await claims
      .take([`${context.ledger.base(deployment)}:${name}`], { who: worker, since: Date.now(), message: name })
      .catch((error) => {
        if (error instanceof RemodelError && error.code === 'locked') return null
        throw error
      })
    if (!held) return
    const either = AbortSignal.any([held.signal, signal])
    try {
      await orAborted(keeper.tick(context, deployment, either), either)
    } finally {
      await held.release()
    }
  }
  const look = async () => {
    for (const deployment of await keeper.deployments(context.stores)) {
      ticks.offer(deployment, (signal) => inTurn(deployment, signal))
    }
  }
  // Redis may be away: the next look finds it back.
  const looking = startLoop({ everyMs: Math.min(lookMs, keeper.everyMs()), turn: look, failed: () => {} })
  return {
    async stop() {
      await looking.stop()
      await ticks.stop()
    },
  }
}
