import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { begunFor, noteBegun } from '../../contract/begun.ts'
import type { StepContext, Wait } from '../../contract/step.ts'
import { archivesOf } from '../archive/archives.ts'
import { type ArchivedLog, type Backup, filesFor } from '../archive/chain.ts'
import type { InstanceAttributes, Member, Restore } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { type Machines, openSession } from '../postgres/server.ts'
import { configure } from '../server/configuration.ts'
import { finishData, prepareData, writePart } from '../server/data.ts'
import { raiseFences, type SeenFences } from '../server/fences.ts'
import { asServer, owner, place } from '../server/place.ts'
import { lookAt, waitFor } from '../server/primary.ts'
import { resumeServer, startServer, stopServer, supervise } from '../server/process.ts'
import { replicationPassword } from '../server/replication.ts'
import { shell } from '../server/shell.ts'
import { dropSubscription } from '../server/subscribe.ts'
import { beginLine } from './line.ts'

const unpack = promisify(gunzip)
/**
 * A primary with data of the archive, brought to one point of its history:
 *
 *   nothing    -- base backup and log are fetched -->  fetched
 *   fetched    -- started, which is written down -->  replaying
 *   replaying  -- the log is replayed up to the target, it becomes a primary: no worker waits for that -->  recovered
 *   recovered  -- links of then are taken away, fences of now set, a line of its own begun -->  its own
 *   its own    -- stopped; the file `whole` names the restore -->  whole
 *
 * Cut off before `replaying` it begins again from nothing, later from there: only Remodel could write there. What the
 * node had before stays beside until it is whole.
 */
export async function restoreData(
  context: StepContext,
  connection: Connection,
  of: { deployment: string; member: Member; instance: InstanceAttributes; restore: Restore },
): Promise<Wait | undefined> {
  const { member, instance, restore } = of
  const begun = { plan: context.plan, what: restoredBy(restore) }
  if ((await begunFor(connection, place.begun, begun)) === null) {
    await beginReplay(context, connection, of)
    await noteBegun(connection, place.begun, begun)
    await failpoint('restore.replaying')
  } else await resumeServer(connection)
  context.say('replaying the log')
  const wait = await waitFor(`${member.instance} coming to the point it is restored to`, context.signal, async () => {
    const [seen] = await lookAt(context.provider, [member])
    if (seen!.recovering === false) return true
    await refuseDead(connection, member)
    return false
  })
  if (wait) return wait
  await failpoint('restore.recovered')
  await makeOwn(context, connection, { member, instance }, restore)
  await failpoint('restore.own')
  await stopServer(connection)
  await connection.write(place.whole, restoredBy(restore))
  await failpoint('restore.whole')
  return undefined
}

async function beginReplay(
  context: StepContext,
  connection: Connection,
  { deployment, instance, restore }: { deployment: string; instance: InstanceAttributes; restore: Restore },
): Promise<void> {
  const needed = await neededFor(context, restore)
  await supervise(connection)
  await stopServer(connection)
  await shell(connection, `rm -f ${place.whole} ${place.applied} ${place.target} ${place.begun} ${place.log}`)
  await fetch(context, connection, needed)
  await failpoint('restore.fetched')
  const password = replicationPassword(context.secrets, deployment)
  await configure(connection, instance, { is: 'restoring', target: restore.target }, password)
  await shell(connection, asServer(`touch ${place.data}/recovery.signal`))
  await startServer(connection)
}

/** What the file `whole` says after a restore. */
export const restoredBy = ({ key }: Restore) => `restored ${key}`

/** What a restore reads; throws `not-found` where some of it is not in the archive or in the blobstore. */
export async function neededFor(
  { stores, blobs }: Pick<StepContext, 'stores' | 'blobs'>,
  { deployment, node, line, backup: id, target }: Restore,
): Promise<{ backup: Backup; log: ArchivedLog; files: string[] }> {
  const archives = archivesOf(stores)
  const backup = await archives.backup(deployment, id)
  if (!backup) throw new RemodelError('not-found', `there is no backup ${id} of ${deployment} any more`)
  const log = await archives.log({ deployment, node, line }, backup.start)
  const files = filesFor(backup, target, log)
  if (!files) throw new RemodelError('not-found', `what is archived of ${node} since ${id} does not reach the target`)
  const digests = [
    backup.directories,
    ...backup.parts.map(({ digest }) => digest),
    ...files.map((file) => log.files.get(file)!.digest),
  ]
  for (const digest of digests) {
    if (!(await blobs.keep(digest)))
      throw new RemodelError('not-found', `a blob of backup ${id} is gone from the blobstore: ${digest}`)
  }
  return { backup, log, files }
}

async function fetch(
  context: StepContext,
  connection: Connection,
  { backup, log, files }: { backup: Backup; log: ArchivedLog; files: string[] },
): Promise<void> {
  const { blobs, signal } = context
  const directories = (await blobs.get(backup.directories)).toString().split('\0')
  await prepareData(connection, directories, signal)
  for (const [index, { digest, piece }] of backup.parts.entries()) {
    context.say(`fetching backup ${backup.id}: part ${index + 1} of ${backup.parts.length}`)
    const content = await unpack(await blobs.get(digest))
    await writePart(connection, { content, ...(piece ? { piece } : {}) }, signal)
  }
  await finishData(connection, backup.label)
  await shell(connection, `rm -rf ${place.replayed}; mkdir -p ${place.replayed}`)
  for (const [index, file] of files.entries()) {
    context.say(`fetching the log: file ${index + 1} of ${files.length}`)
    await connection.write(`${place.replayed}/${file}`, await unpack(await blobs.get(log.files.get(file)!.digest)))
  }
  for (const [timeline, text] of log.histories) {
    const name = timeline.toString(16).toUpperCase().padStart(8, '0')
    await connection.write(`${place.replayed}/${name}.history`, text)
  }
  await shell(connection, `chown -R ${owner} ${place.replayed}; sync -f ${place.replayed}`)
}

/** A server that gives recovery up ends; started again it would only end again. */
async function refuseDead(connection: Connection, member: Member): Promise<void> {
  const [process] = await connection.status()
  if (process?.state !== 'failing') return
  const { stdout } = await connection.exec(['tail', '-n', '20', place.log])
  const last = stdout.split('\n').findLast((line) => line.includes('FATAL'))
  const why = last?.replace(/^.*FATAL:\s*/, '') ?? 'its server does not start'
  throw new RemodelError('job-failed', `${member.instance} cannot be restored: ${why}`, { details: { log: stdout } })
}

/**
 * Takes away what came along: subscriptions without their slots, which are others', and the places they had come to.
 * Slots for the other nodes are made here, while no client can write: so they get all of its data.
 */
async function makeOwn(
  { provider }: StepContext,
  connection: Connection,
  { member, instance: { node } }: { member: Member; instance: InstanceAttributes },
  { database, peers }: Restore,
): Promise<void> {
  const seen = await connection.read(place.fences).catch(() => null)
  const fences = seen ? (JSON.parse(seen.toString()) as SeenFences) : {}
  const session = await openSession(provider, member, 'postgres')
  try {
    await raiseFences(session, fences.postgres ?? {})
    const known = await session.value('SELECT 1 FROM pg_database WHERE datname = $1', [database])
    if (known !== null)
      await cleanDatabase(provider, member, database, {
        fences,
        slots: peers.map((peer) => linkName(node, peer)),
      })
    await session.query(
      `SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname LIKE 'remodel\\_%'`,
    )
    await beginLine(session)
    await session.query('CHECKPOINT')
  } finally {
    await session.close()
  }
}

async function cleanDatabase(
  provider: Machines,
  member: Member,
  database: string,
  { fences, slots }: { fences: SeenFences; slots: readonly string[] },
): Promise<void> {
  const session = await openSession(provider, member, database)
  try {
    const [, own = {}] = Object.entries(fences).find(([name]) => name !== 'postgres') ?? []
    await raiseFences(session, own)
    const names = await session.query(
      `SELECT subname FROM pg_subscription WHERE subname LIKE 'remodel\\_%' AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )
    for (const { subname } of names) await dropSubscription(session, String(subname))
    for (const slot of slots) {
      const known = await session.value('SELECT 1 FROM pg_replication_slots WHERE slot_name = $1', [slot])
      if (known !== null) continue
      // Replicas can keep no copy before it is read from: `set-up-subscription` says that they are to.
      await session.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput', false, false, false)`, [slot])
    }
  } finally {
    await session.close()
  }
}
