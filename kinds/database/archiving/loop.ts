import type { Logger } from 'pino'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import type { Ledger } from '../../../shared/ledger/ledger.ts'
import type { Claims } from '../../../shared/lock/claims.ts'
import type { Provider } from '../../../shared/provider/provider.ts'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { orAborted, Ticks } from '../../../shared/runtime/ticks.ts'
import type { Archives } from '../archive/archives.ts'
import { isDue } from '../archive/sealing.ts'
import { InstanceAttributes, type Member } from '../inputs.ts'
import { findPrimary } from '../server/primary.ts'
import { archiveEveryMs } from './every.ts'
import { shipLog } from './ship.ts'

interface Parts {
  provider: Provider
  blobs: Blobstore
  archives: Archives
  ledger: Ledger
  claims: Claims
  log: Logger
}

const lookMs = 5000
/** So many databases are looked after side by side. */
const width = 8
/** Longer than a turn takes that has hours of log to ship: what is left comes with the next one. */
const limitMs = 60_000

/**
 * Keeps the archives of databases up to date, beside all plans: every few seconds the finished files of each primary's log are put
 * into the blobstore, and a file that is written to is ended once a minute where anything was written. Of several assemblers
 * one does it for a deployment, by a claim that it gives back after each turn; what it has to remember is in Redis, so any other one
 * goes on. A database whose server hangs is let go, and the others are not held up.
 */
export function startArchiving(parts: Parts, worker: string): { stop(): Promise<void> } {
  const everyMs = archiveEveryMs()
  const ticks = new Ticks({
    width,
    limitMs,
    failed: (deployment, error) =>
      parts.log.warn({ deployment, err: toError(error) }, 'archiving failed; it is tried again'),
  })
  const look = async () => {
    for (const deployment of await parts.archives.followed()) {
      ticks.offer(deployment, (signal) => inTurn(parts, worker, { deployment, everyMs }, signal))
    }
  }
  // Redis may be away: the next look finds it back.
  const timer = setInterval(() => void look().catch(() => {}), Math.min(lookMs, everyMs))
  return {
    async stop() {
      clearInterval(timer)
      await ticks.stop()
    },
  }
}

interface Turn {
  deployment: string
  everyMs: number
}

/** Under the claim of the deployment's archive, which is given back when the signal aborts, whatever still runs then. */
async function inTurn(parts: Parts, who: string, turn: Turn, signal: AbortSignal): Promise<void> {
  const { claims, ledger } = parts
  const resource = `${ledger.base(turn.deployment)}:archiving`
  const held = await claims.take([resource], { who, since: Date.now(), message: 'archives' }).catch((error) => {
    if (error instanceof RemodelError && error.code === 'locked') return null
    throw error
  })
  if (!held) return
  const either = AbortSignal.any([held.signal, signal])
  try {
    await orAborted(shipAll(parts, turn, either), either)
  } finally {
    await held.release()
  }
}

async function shipAll(parts: Parts, { deployment, everyMs }: Turn, signal: AbortSignal): Promise<void> {
  const nodes = await archivedNodes(parts.ledger, deployment)
  if (nodes.size === 0) return letBe(parts, deployment)
  const ended = await Promise.allSettled(
    [...nodes].map(async ([node, members]) => {
      const primary = await findPrimary(parts.provider, members)
      if (!primary) return
      const sealing = { everyMs, due: (last, now) => isDue(last, now, everyMs) } satisfies Parameters<typeof shipLog>[2]
      await shipLog({ ...parts, signal }, { deployment, node, primary, members }, sealing)
    }),
  )
  const failed = ended.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
  if (failed) throw failed.reason
}

/**
 * A deployment that has no archived server any more is followed no longer. A plan that sets one up says so before it is recorded, and
 * holds the lock of the deployment meanwhile: what such a plan said just before is said again.
 */
async function letBe({ ledger, archives }: Parts, deployment: string): Promise<void> {
  const idle = async () => !(await ledger.isOpen(deployment)) && (await archivedNodes(ledger, deployment)).size === 0
  if (!(await idle())) return
  await archives.unfollow(deployment)
  if (!(await idle())) await archives.follow(deployment)
}

/** Node -> its servers, of those whose log is archived. */
async function archivedNodes(ledger: Ledger, deployment: string): Promise<Map<string, Member[]>> {
  const nodes = new Map<string, Member[]>()
  for (const { id, attributes } of (await ledger.floorplan(deployment)).materials) {
    if (!id.startsWith('instance/') || attributes.backup === undefined) continue
    const { node, vm, address, port } = InstanceAttributes.parse(attributes)
    nodes.set(node, [...(nodes.get(node) ?? []), { instance: id.slice('instance/'.length), vm, address, port }])
  }
  return nodes
}
