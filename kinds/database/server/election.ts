import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { comparePositions, positionText } from '../postgres/position.ts'
import { answersNeeded, type Commits, isEnough } from '../postgres/quorum.ts'
import { openSession } from '../postgres/server.ts'
import { asServer, place } from './place.ts'
import { lookAt, type Seen, until } from './primary.ts'
import { startServer, supervise } from './process.ts'
import { shell } from './shell.ts'

export interface Election {
  node: string
  /** All servers of the node that may have data of it; not those whose machine is gone. */
  members: readonly Member[]
  /** Who may take over, whom one would rather have first. */
  candidates: readonly string[]
  /** Servers that are silent while their machine exists: they are started before anything is decided. */
  wake: readonly string[]
  commits: Commits
  /** Copies of these slots the new primary has to have, or other nodes miss what was written in between. */
  slots: readonly string[]
  acceptLoss: boolean
}

/** A silent server that ran may be frozen: it is ended, then started. */
const freezeMs = 10_000
const wakeMs = 60_000
/** Replaying what is on its own disk takes a server that was killed a while. */
const replayMs = 300_000

/**
 * Which server of a node without a primary becomes it: of those that answer the one that has most of the log. Servers
 * that were silent are started first, as replicas, so that none takes writes unasked. Refuses (`job-failed`, nothing
 * is lost by it) where those that answer do not hold for certain all that was acknowledged, unless a loss was
 * accepted: then it may not be `whole`. A server that takes writes already is it.
 */
export async function elect(context: StepContext, election: Election): Promise<Seen & { whole: boolean }> {
  const { node, members, candidates, commits, slots, acceptLoss } = election
  await showFence(context, members)
  const before = (await lookAt(context.provider, members)).find(({ recovering }) => recovering === false)
  if (before) return { ...before, whole: true }
  const silent = members.filter(({ instance }) => election.wake.includes(instance))
  await Promise.all(silent.map((member) => wake(context, member)))
  const answering = (await lookAt(context.provider, members)).filter(({ recovering }) => recovering !== null)
  await Promise.all(answering.map(({ member }) => replayed(context, member)))
  const seen = (await lookAt(context.provider, members)).filter(({ recovering }) => recovering !== null)
  const primary = seen.find(({ recovering }) => recovering === false)
  if (primary) return { ...primary, whole: true }
  const names = seen.map(({ member }) => member.instance)
  const whole = isEnough(commits, names)
  if (!whole && !acceptLoss) throw tooFew(election, seen)
  const [most] = [...seen].sort((a, b) => comparePositions(b.position, a.position))
  if (!most) throw tooFew(election, seen)
  const heirs = seen
    .filter(
      ({ member, position }) => candidates.includes(member.instance) && comparePositions(position, most.position) === 0,
    )
    .sort((a, b) => candidates.indexOf(a.member.instance) - candidates.indexOf(b.member.instance))
  for (const heir of heirs) if (await hasSlots(context, heir.member, slots)) return { ...heir, whole }
  if (acceptLoss) {
    const [heir] = seen
      .filter(({ member }) => candidates.includes(member.instance))
      .sort((a, b) => comparePositions(b.position, a.position))
    if (heir) return { ...heir, whole: false }
  }
  const who = `${most.member.instance} has most of the log of ${node}, up to ${positionText(most.position)}`
  throw new RemodelError('job-failed', `${who}, and cannot become its primary without a loss; --accept-loss allows one`)
}

function tooFew({ node, members, commits }: Election, seen: readonly Seen[]): RemodelError {
  const silent = commits.of.filter((name) => !seen.some(({ member }) => member.instance === name))
  const most = [...seen].sort((a, b) => comparePositions(b.position, a.position))[0]
  const known = most ? `; ${most.member.instance} has it up to ${positionText(most.position)}` : ''
  return new RemodelError(
    'job-failed',
    `${seen.length} of the ${commits.of.length} servers of ${node} answer, and ${answersNeeded(commits)} must, to be sure of all that was ` +
      `acknowledged: ${silent.join(', ')} may have more${known}. Bring one of them back, or deploy with --accept-loss`,
    { details: { silent, answering: members.length - silent.length } },
  )
}

/** An attempt before this one, that was only paused, can promote no server any more. */
async function showFence(context: StepContext, members: readonly Member[]): Promise<void> {
  await Promise.all(
    members.map(async ({ vm }) => {
      const connection = await context.provider.connect(vm, context.fence).catch(() => null)
      if (!connection) return
      try {
        await connection.exec(['true'])
      } catch (error) {
        if (error instanceof RemodelError && error.code === 'superseded') throw error
      } finally {
        connection.close()
      }
    }),
  )
}

/** Starts a silent server as a replica. A server that cannot be started stays silent. */
async function wake(context: StepContext, member: Member): Promise<void> {
  context.say(`bringing up ${member.instance}`)
  try {
    const connection = await context.provider.connect(member.vm, context.fence)
    try {
      await supervise(connection)
      await connection.stop(freezeMs)
      await shell(connection, asServer(`touch ${place.data}/standby.signal`))
      await startServer(connection)
    } finally {
      connection.close()
    }
    await until(`${member.instance} answering`, context.signal, wakeMs, async () => {
      const [seen] = await lookAt(context.provider, [member])
      return seen!.recovering !== null
    })
  } catch (error) {
    if (context.signal.aborted || (error instanceof RemodelError && error.code === 'superseded')) throw error
    context.log.warn({ instance: member.instance, err: toError(error) }, 'a silent server cannot be brought up')
  }
}

/** Its own report counts only when it has read all of its own log: then it waits for more. */
async function replayed(context: StepContext, member: Member): Promise<void> {
  await until(`${member.instance} reading its own log`, context.signal, replayMs, async () => {
    const session = await openSession(context.provider, member, 'postgres', { timeoutMs: 2000 })
    try {
      const sql = `SELECT NOT pg_is_in_recovery() OR pg_is_wal_replay_paused() OR EXISTS (SELECT FROM pg_stat_activity
        WHERE backend_type = 'startup' AND wait_event IN ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval'))`
      return (await session.value(sql)) === true
    } finally {
      await session.close()
    }
  })
}

async function hasSlots(context: StepContext, member: Member, slots: readonly string[]): Promise<boolean> {
  if (slots.length === 0) return true
  const session = await openSession(context.provider, member, 'postgres')
  try {
    const sql = `SELECT count(*) FROM pg_replication_slots
      WHERE slot_type = 'logical' AND NOT temporary AND invalidation_reason IS NULL AND slot_name = ANY ($1)`
    return Number(await session.value(sql, [slots])) === slots.length
  } finally {
    await session.close()
  }
}
