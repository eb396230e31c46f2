import type { z } from 'zod'
import { digestOf } from '../../../shared/model/canonical.ts'
import type { Connection } from '../../../shared/provider/connection.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext, type StepResult } from '../../contract/step.ts'
import { archivesOf } from '../archive/archives.ts'
import { ensureArchiveSlot, keepsForArchive } from '../archiving/line.ts'
import { restoreData, restoredBy } from '../archiving/restore.ts'
import { inputs, restoredMaterial } from '../inputs.ts'
import { adminRole } from '../postgres/names.ts'
import { rolesAmiss } from '../postgres/roles.ts'
import { openSession } from '../postgres/server.ts'
import { noteClosed } from '../server/admission.ts'
import { isLaidAside, putBackAside, settleAside } from '../server/aside.ts'
import { configure, type Floors, followAsReplication, settingsOf } from '../server/configuration.ts'
import { floorsOf, writtenFloors } from '../server/floors.ts'
import { follow } from '../server/follow.ts'
import { whyNotFollowing } from '../server/following.ts'
import { keptOn } from '../server/kept.ts'
import { asServer, owner, place } from '../server/place.ts'
import { findPrimary, lookAt } from '../server/primary.ts'
import { restartServer, startServer, supervise } from '../server/process.ts'
import { recorded } from '../server/record.ts'
import { rehearse } from '../server/rehearsal.ts'
import { admitReplicas, replicationPassword } from '../server/replication.ts'
import { ensureRoles } from '../server/roles.ts'
import {
  answering,
  awaitsRestart,
  changedFiles,
  endOfLog,
  isUp,
  keepSettings,
  notInEffect,
  putBackSettings,
  readAgain,
  refuseUnread,
} from '../server/running.ts'
import { shell } from '../server/shell.ts'
import { certified, ensureCertificate, forgetCertificate, whyNotCertified } from '../server/tls.ts'

type Input = z.infer<(typeof inputs)['set-up-instance']>

/**
 * A server with its data, its settings and its roles, running.
 *
 *   no data, `found`           -> what it had before a restore that did not end; else an empty cluster
 *   no data, `copy`/`follow`   -> a copy of the source's primary, that follows
 *   no data, `keep`            -> refused: what is gone cannot be made up
 *   no data, `restore`         -> a backup, replayed to the point that is asked for; what was here before is kept beside till then
 *   data of a former primary, `follow`, and another primary is there -> a new copy; what it has more is
 *   kept beside (`kept.ts`)
 *   data                       -> kept
 *
 * `closed` comes ahead of the data: whatever the server is when it starts first, no client comes in
 * before its node is opened.
 *
 * Changed settings are read again, and the server is started again only where one of them asks for it.
 */
export default defineStep({
  input: inputs['set-up-instance'],
  async look(context, planned) {
    const input = await asThingsAre(context, planned)
    const connection = await context.provider.connect(input.member.vm, context.fence)
    try {
      const applied = await connection.exec(['cat', place.applied])
      if (applied.stdout !== digestOf(input.instance)) return null
      const [process] = await connection.status()
      const [seen] = await lookAt(context.provider, [input.member])
      if (process?.state !== 'running' || seen!.recovering === null) return null
      if (input.role === 'follow' && !(await follows(context, input, 2000))) return null
      if (input.role === 'restore' && !(await isRestored(connection, input))) return null
      if ((await changedFiles(connection)).length > 0) return null
      const of = { secrets: context.secrets, deployment: input.deployment }
      if ((await whyNotCertified(connection, input.instance, of)) !== '') return null
      const archived = input.instance.backup !== undefined
      if (archived !== (await keepsForArchive(context.provider, input.member))) return null
      if ((await notInEffect(context, input.member, Object.keys(input.instance.settings))).length > 0) return null
      if (seen!.recovering === false && (await amiss(context, input)).length > 0) return null
      return await result(context, connection, input)
    } finally {
      connection.close()
    }
  },
  async apply(context, planned) {
    const input = await asThingsAre(context, planned)
    const { member, instance, role } = input
    const connection = await context.provider.connect(member.vm, context.fence)
    try {
      await shell(connection, `mkdir -p ${place.root} ${place.run}; chown ${owner} ${place.root} ${place.run}`)
      const has = async (path: string) => (await connection.exec(['test', '-e', path])).exitCode === 0
      const whole = await has(place.whole)
      const of = { secrets: context.secrets, deployment: input.deployment }
      await ensureCertificate(connection, instance, of)
      if (role === 'copy' && !whole && (await isLaidAside(connection))) {
        throw new RemodelError(
          'job-failed',
          `${instance.host_id} has what its node had before a restore that did not end, and did not answer when this was planned: deploy again, and the node begins with that`,
        )
      }
      // What comes back is what clients wrote: it does not go as a node that was never open would.
      const comesBack = role === 'found' && (await isLaidAside(connection))
      if (input.closed && !whole) await noteClosed(connection, comesBack ? 'opening' : 'added')
      if (whole && role !== 'restore') await rehearse(connection, instance)
      if (role === 'found' && !whole) {
        if (await putBackAside(connection)) context.say('it has what it had before the restore')
        else await found(connection, context)
        await rehearse(connection, instance)
      }
      if (whole) await keepSettings(connection)
      if (input.restore && role === 'restore' && !(await isRestored(connection, input))) {
        const wait = await restoreData(context, connection, { ...input, restore: input.restore })
        if (wait) return wait
      }
      if (role === 'keep' && !whole) {
        throw new RemodelError(
          'job-failed',
          `the data of ${member.instance} is gone, and it is the primary of ${instance.node}: restore the node, or remove and add it`,
        )
      }
      if (role === 'follow' || role === 'copy') {
        const primary = await findPrimary(context.provider, input.source)
        if (primary) await admitReplicas(context, primary, input.deployment)
      }
      if ((role === 'follow' || role === 'copy') && !whole) await follow(context, connection, input)
      if (role === 'follow' && whole && !(await has(`${place.data}/standby.signal`))) {
        // It was the primary. As long as there is no other, it is the only server with all of the data.
        const other = await findPrimary(context.provider, input.source)
        if (other) await follow(context, connection, input)
      }
      const replays = await has(`${place.data}/standby.signal`)
      const copying = role === 'copy' && replays
      const password = replicationPassword(context.secrets, input.deployment)
      const floors = replays ? await floorsOf(context, connection, input) : {}
      await configure(connection, instance, { is: copying ? 'copying' : 'ordinary', floors }, password)
      await followAsReplication(connection)
      await failpoint('set-up-instance.configured')
      await runOrGoBack(context, connection, input)
      if (role === 'follow' && replays) {
        context.say('waiting for it to follow')
        await keepUp(context, connection, input, whole)
      }
      if (role !== 'follow' && role !== 'copy') await ensureRoles(context, member, instance, input)
      await ensureArchiveSlot(context.provider, member, instance.backup !== undefined)
      if (instance.backup) await archivesOf(context.stores).follow(input.deployment)
      await settleAside(connection)
      await shell(connection, `rm -rf ${place.earlier}`)
      await forgetCertificate(connection, instance)
      const held = Object.keys(await heldBack(connection, instance))
      await connection.write(place.applied, [digestOf(instance), ...held].join(' '))
      await failpoint('set-up-instance.applied')
    } finally {
      connection.close()
    }
  },
  async verify(context, input) {
    const [seen] = await lookAt(context.provider, [input.member])
    if (seen!.recovering === null) {
      throw new RemodelError('infrastructure', `${input.member.instance} does not answer`)
    }
    const connection = await context.provider.connect(input.member.vm, context.fence)
    try {
      return await result(context, connection, input)
    } finally {
      connection.close()
    }
  },
})

/** Which replica takes over is only known when it has: one that was to be the primary follows where another one is. */
async function asThingsAre(context: StepContext, input: Input): Promise<Input> {
  if (input.role !== 'keep') return input
  const primary = await findPrimary(context.provider, [input.member, ...input.source])
  return primary && primary.instance !== input.member.instance ? { ...input, role: 'follow' } : input
}

/**
 * That a node was restored is recorded together with its primary: it must not be restored again by the same request.
 */
async function result(context: StepContext, connection: Connection, input: Input): Promise<StepResult> {
  const [, ...held] = (await connection.read(place.applied)).toString().split(' ')
  const { floorplan } = recorded(
    context,
    input,
    {},
    {
      kept: await keptOn(connection),
      ...(held.length > 0 ? { held } : {}),
      ...(await certified(connection, input.instance)),
    },
  )
  const { restore, role, instance, member } = input
  if (role !== 'restore' || !restore) return { floorplan }
  const attributes = { key: restore.key, primary: member.instance }
  return { floorplan: { ...floorplan, [restoredMaterial(instance.node)]: { attributes, needs: [], meta: {} } } }
}

async function amiss({ provider }: StepContext, { member, instance }: Input): Promise<string[]> {
  const session = await openSession(provider, member, 'postgres')
  try {
    return await rolesAmiss(session, instance.users)
  } finally {
    await session.close()
  }
}

async function isRestored(connection: Connection, { restore }: Input): Promise<boolean> {
  const { exitCode, stdout } = await connection.exec(['cat', place.whole])
  return exitCode === 0 && restore !== null && stdout === restoredBy(restore)
}

async function found(connection: Connection, context: StepContext): Promise<void> {
  context.say('making an empty cluster')
  const options = `-D ${place.data} -U ${adminRole} -A trust -E UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C`
  await shell(connection, `rm -rf ${place.data}; ${asServer(`${place.binaries}/initdb ${options}`)}`, {
    signal: context.signal,
  })
  await failpoint('set-up-instance.founded')
  await connection.write(place.whole, '')
}

/** What it has more of than it is to have, as it replays the log of a server that has. */
async function heldBack(connection: Connection, instance: Input['instance']): Promise<Floors> {
  const wanted = settingsOf(instance, { is: 'ordinary' })
  const more = Object.entries(await writtenFloors(connection)).filter(([name, has]) => has > Number(wanted[name]))
  return Object.fromEntries(more)
}

/**
 * A server that does not take its new settings has its earlier ones again when this throws, with
 * the server's own words.
 */
async function runOrGoBack(context: StepContext, connection: Connection, input: Input): Promise<void> {
  try {
    await run(context, connection, input)
  } catch (error) {
    if (!(error instanceof RemodelError) || error.code !== 'job-failed') throw error
    if (!(await putBackSettings(connection))) throw error
    context.say('going back to its earlier settings')
    await failpoint('set-up-instance.going-back')
    if (await isUp(context, input.member)) await readAgain(context, connection, input.member, [])
    else {
      const from = await endOfLog(connection)
      await restartServer(connection)
      await answering(context, connection, { member: input.member, from }, 60_000)
    }
    const { message, details } = error
    throw new RemodelError('job-failed', `${message}; it runs with its earlier settings again`, {
      details,
      cause: error,
    })
  }
}

/**
 * Waits until it takes sessions and has the settings that its files have. One that was starting already may have read
 * the files before they were written, so every server reads them once more.
 */
async function run(context: StepContext, connection: Connection, input: Input): Promise<void> {
  const { member, instance } = input
  await supervise(connection)
  const [process] = await connection.status()
  if (process?.state !== 'running' || !(await isUp(context, member))) {
    context.say('starting')
    const from = await endOfLog(connection)
    await startServer(connection)
    await answering(context, connection, { member, from })
  }
  await readAgain(context, connection, member, Object.keys(instance.settings))
  await refuseUnread(context, member)
  if (!(await awaitsRestart(context.provider, member))) return
  context.say('starting it again with its new settings')
  const from = await endOfLog(connection)
  await restartServer(connection)
  await failpoint('set-up-instance.restarted')
  await answering(context, connection, { member, from })
}

async function follows(context: StepContext, { member, upstream }: Input, waitMs: number): Promise<boolean> {
  const wait = { waitMs, signal: context.signal }
  return (await whyNotFollowing(context.provider, member, upstream, wait)) === null
}

/** A replica whose data left the primary's history behind, or whose log the primary no longer has, is copied anew. */
async function keepUp(context: StepContext, connection: Connection, input: Input, old: boolean): Promise<void> {
  if (old) {
    if (await follows(context, input, 15_000)) return
    if (await findPrimary(context.provider, input.source)) {
      await follow(context, connection, input)
      const password = replicationPassword(context.secrets, input.deployment)
      const floors = await floorsOf(context, connection, input)
      await configure(connection, input.instance, { is: 'ordinary', floors }, password)
      await run(context, connection, input)
    }
  }
  const wait = { waitMs: 120_000, signal: context.signal }
  const why = await whyNotFollowing(context.provider, input.member, input.upstream, wait)
  if (why !== null) throw new RemodelError('infrastructure', why)
}
