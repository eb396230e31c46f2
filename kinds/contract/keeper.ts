import type { Logger } from 'pino'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import type { Stores } from './stores.ts'

/** What a keeper may use. */
export interface KeeperContext {
  provider: Provider
  ledger: Ledger
  stores: Stores
  log: Logger
}

/**
 * Work that a kind does for its deployments beside all plans, in short ticks that come again: the default export of
 * `kinds/<kind>/keepers/<name>.ts`. Assemblers run them (`services/assembler/keepers.ts`); of one deployment one
 * assembler at a time does, by a claim of the keeper's name that it gives back after each tick. So a keeper remembers
 * nothing in its process: what it has to know the next time it puts into `stores`, and any other assembler goes on.
 */
export interface Keeper {
  /** Milliseconds between two ticks of a deployment. Read when the assembler starts. */
  everyMs(): number
  /** A tick that takes longer is aborted, and the next one begins anew. Milliseconds. */
  limitMs: number
  /** How many deployments have their tick side by side, in one assembler. */
  width: number
  /** The deployments that it looks after now. */
  deployments(stores: Stores): Promise<readonly string[]>
  /** One look. When the signal is aborted, another assembler may have begun the next one. */
  tick(context: KeeperContext, deployment: string, signal: AbortSignal): Promise<void>
}
