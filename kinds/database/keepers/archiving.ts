import type { Ledger } from '../../../shared/ledger/ledger.ts'
import { materialName, materialType } from '../../../shared/model/material.ts'
import type { Keeper, KeeperContext } from '../../contract/keeper.ts'
import { archivesOf } from '../archive/archives.ts'
import { isDue } from '../archive/sealing.ts'
import { archiveEveryMs } from '../archiving/every.ts'
import { shipLog } from '../archiving/ship.ts'
import { InstanceAttributes, type Member } from '../inputs.ts'
import { findPrimary } from '../server/primary.ts'

/**
 * Keeps the archives of databases up to date: the finished files of each primary's log are put into the blobstore, and
 * a file that is written to is ended once a minute where anything was written.
 */
export default {
  everyMs: archiveEveryMs,
  // Longer than a tick takes that has hours of log to ship: what is left comes with the next one.
  limitMs: 60_000,
  width: 8,
  deployments: (stores) => archivesOf(stores).followed(),
  tick: shipAll,
} satisfies Keeper

async function shipAll(context: KeeperContext, deployment: string, signal: AbortSignal): Promise<void> {
  const everyMs = archiveEveryMs()
  const nodes = await archivedNodes(context.ledger, deployment)
  if (nodes.size === 0) return letBe(context, deployment)
  const { provider, stores } = context
  const ended = await Promise.allSettled(
    [...nodes].map(async ([node, members]) => {
      const primary = await findPrimary(provider, members)
      if (!primary) return
      const sealing = { everyMs, due: (last, now) => isDue(last, now, everyMs) } satisfies Parameters<typeof shipLog>[2]
      await shipLog({ provider, stores, signal }, { deployment, node, primary, members }, sealing)
    }),
  )
  const failed = ended.find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
  if (failed) throw failed.reason
}

/**
 * A deployment that has no archived server any more is followed no longer. A plan that sets one up says so before it is
 * recorded, and holds the lock of the deployment meanwhile: what such a plan said just before is said again.
 */
async function letBe({ ledger, stores }: KeeperContext, deployment: string): Promise<void> {
  const archives = archivesOf(stores)
  const idle = async () => !(await ledger.isOpen(deployment)) && (await archivedNodes(ledger, deployment)).size === 0
  if (!(await idle())) return
  await archives.unfollow(deployment)
  if (!(await idle())) await archives.follow(deployment)
}

/** Node -> its servers, of those whose log is archived. */
async function archivedNodes(ledger: Ledger, deployment: string): Promise<Map<string, Member[]>> {
  const nodes = new Map<string, Member[]>()
  for (const { id, attributes } of (await ledger.floorplan(deployment)).materials) {
    if (materialType(id) !== 'instance' || attributes.backup === undefined) continue
    const { node, vm, address, port } = InstanceAttributes.parse(attributes)
    nodes.set(node, [...(nodes.get(node) ?? []), { instance: materialName(id), vm, address, port }])
  }
  return nodes
}
