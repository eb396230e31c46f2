import type { Logger } from 'pino'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import { RemodelError, toError } from '../../shared/errors.ts'
import { InstanceAttributes, type Member } from '../../shared/kinds/database.ts'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Claims } from '../../shared/lock/claims.ts'
import type { Archives } from '../../shared/postgres/archive/archives.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import { shipLog } from './steps/database/archive/ship.ts'
import { findPrimary } from './steps/database/server/primary.ts'

interface Parts {
  provider: Provider
  blobs: Blobstore
  archives: Archives
  ledger: Ledger
  claims: Claims
  log: Logger
}

const lookMs = 5000

/** At the latest so long after it was written is a row archived, in milliseconds: REMODEL_ARCHIVE_SECONDS, 60 by default. */
function archiveEveryMs(env: NodeJS.ProcessEnv = process.env): number {
  const seconds = Number(env.REMODEL_ARCHIVE_SECONDS ?? 60)
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000
  throw new RemodelError('invalid-input', 'REMODEL_ARCHIVE_SECONDS is not a number of seconds above 0', {
    details: { found: env.REMODEL_ARCHIVE_SECONDS },
  })
}

/**
 * Keeps the archives of databases up to date, beside all plans: every few seconds the finished files of each primary's log are put
 * into the blobstore, and a file that is written to is ended once a minute where somebody wrote anything. Of several
 * assemblers one does it for a deployment; two would do no harm. It writes nothing to a database that a restore could miss.
 */
export function startArchiving(parts: Parts, worker: string): { stop(): Promise<void> } {
  const everyMs = archiveEveryMs()
  const stopping = new AbortController()
  const sealed = new Map<string, { at: number; nextXid: string }>()
  let round: Promise<void> = Promise.resolve()
  const look = async () => {
    for (const deployment of await parts.archives.followed()) {
      if (stopping.signal.aborted) return
      try {
        await inTurn(parts, worker, deployment, (signal) => shipAll(parts, deployment, signal, sealed, everyMs))
      } catch (error) {
        if (stopping.signal.aborted) return
        parts.log.warn({ deployment, err: toError(error) }, 'archiving failed; it is tried again')
      }
    }
  }
  const timer = setInterval(
    () => {
      // Redis may be away: the next look finds it back.
      round = round.then(look).catch(() => {})
    },
    Math.min(lookMs, everyMs),
  )
  return {
    async stop() {
      stopping.abort()
      clearInterval(timer)
      await round
    },
  }

  async function inTurn(
    { claims, ledger }: Parts,
    who: string,
    deployment: string,
    work: (signal: AbortSignal) => Promise<void>,
  ) {
    const resource = `${ledger.base(deployment)}:archiving`
    const held = await claims.take([resource], { who, since: Date.now(), message: 'archives' }).catch((error) => {
      if (error instanceof RemodelError && error.code === 'locked') return null
      throw error
    })
    if (!held) return
    try {
      await work(AbortSignal.any([held.signal, stopping.signal]))
    } finally {
      await held.release()
    }
  }
}

async function shipAll(
  parts: Parts,
  deployment: string,
  signal: AbortSignal,
  sealed: Map<string, { at: number; nextXid: string }>,
  everyMs: number,
): Promise<void> {
  const nodes = await archivedNodes(parts.ledger, deployment)
  await Promise.all(
    [...nodes].map(async ([node, members]) => {
      const primary = await findPrimary(parts.provider, members)
      if (!primary) return
      const key = `${deployment}/${node}`
      const last = sealed.get(key)
      let ended = false
      const due = (nextXid: string) => {
        ended = last === undefined || (last.nextXid !== nextXid && performance.now() - last.at >= everyMs)
        return ended
      }
      const shipped = await shipLog({ ...parts, signal }, { deployment, node, primary, members }, due)
      if (shipped && ended) sealed.set(key, { at: performance.now(), nextXid: shipped.nextXid })
    }),
  )
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
