import type { Connection, Stopped } from '../../../shared/provider/connection.ts'
import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { comparePositions, lsnText, type Position } from '../postgres/position.ts'
import { readControlFile } from './control-file.ts'
import { ensureInstanceSlot } from './follow.ts'
import { whyNotFollowing } from './following.ts'
import { forgetFork } from './fork.ts'
import { asServer, place } from './place.ts'
import { findPrimary, lookAt, until } from './primary.ts'
import { startServer, stopServer, supervise } from './process.ts'
import { promote } from './promote.ts'
import { shell } from './shell.ts'
import { slotsArrived } from './slots.ts'

/**
 * A replica that follows is there at once; one that is far behind would keep writers waiting for as long as it needs.
 */
const followMs = 15_000
const receiveMs = 15_000
const takeBackMs = 120_000

/**
 * Hands the primary role to `heir`.
 *
 *   running   the old primary takes writes. The heir is judged by it; one that does not follow is refused, and nothing was changed.
 *             -- stopped -->
 *   stopped   It shut down in order, and the heir has its log up to the last checkpoint: else, and when the step is asked to stop, the
 *             old one is started again as the primary. Point of no return. -- `standby.signal` -->
 *   demoted   The old one can start as a replica only. -- the heir is promoted -->
 *   over
 *
 * An attempt that was cut off is taken up where the servers are: a primary that is shut down is `stopped`, with
 * `standby.signal` `demoted`. Answers who was the primary before, where that is still to be seen.
 */
export async function handOver(context: StepContext, heir: Member, others: readonly Member[]): Promise<Member | null> {
  await showFence(context, heir)
  const [now] = await lookAt(context.provider, [heir])
  if (now!.recovering === false) return null
  const running = await findPrimary(context.provider, others)
  if (running) await prepare(context, running, heir, others)
  const old = running ? { member: running, demoted: false } : await findCutOff(context, others)
  const connection = await context.provider.connect(old.member.vm, context.fence)
  try {
    if (old.demoted) await goOn(context, connection, heir)
    else await stopForGood(context, connection, old.member, heir)
  } finally {
    connection.close()
  }
  await takeOver(context, heir)
  return old.member
}

/**
 * Nothing is stopped before the heir is known to follow; slots for the others and copies of other
 * nodes' slots are on it.
 */
async function prepare(context: StepContext, old: Member, heir: Member, others: readonly Member[]): Promise<void> {
  context.say(`asking ${old.instance} whether ${heir.instance} follows it`)
  await refuseUnlessFollowing(context, old, heir)
  for (const { instance } of others) await ensureInstanceSlot(context.provider, heir, instance)
  context.say('waiting until its slots are on the heir')
  await slotsArrived(context, old, heir)
  await refuseUnlessFollowing(context, old, heir)
  await failpoint('switch-over.checked')
}

async function refuseUnlessFollowing(context: StepContext, old: Member, heir: Member): Promise<void> {
  const why = await whyNotFollowing(context.provider, heir, [old], {
    waitMs: followMs,
    signal: context.signal,
    applied: true,
  })
  if (why === null) return
  throw new RemodelError(
    'job-failed',
    `${heir.instance} cannot take over: ${why}. ${old.instance} is still the primary`,
  )
}

/** Up to the point of no return whatever goes wrong makes the old one the primary again. */
async function stopForGood(context: StepContext, connection: Connection, old: Member, heir: Member): Promise<void> {
  try {
    context.say(`stopping ${old.instance}`)
    await supervise(connection)
    const how = await stopServer(connection)
    await failpoint('switch-over.stopped')
    await received(context, heir, await lastCheckpoint(connection, old, how))
    await context.pointOfNoReturn()
  } catch (error) {
    await takeBack(context, connection, old)
    throw error
  }
  await failpoint('switch-over.no-return')
  await shell(connection, `${asServer(`touch ${place.data}/standby.signal`)}; sync -f ${place.data}`)
  await failpoint('switch-over.demoted')
}

/** An earlier attempt has come so far; it may have been for another heir. */
async function goOn(context: StepContext, connection: Connection, heir: Member): Promise<void> {
  const { checkpoint } = await readControlFile(connection)
  await received(context, heir, checkpoint)
  await context.pointOfNoReturn()
}

async function lastCheckpoint(connection: Connection, old: Member, how: Stopped): Promise<Position> {
  const { state, checkpoint } = await readControlFile(connection)
  if (how === 'ended' && state === 'shut down') return checkpoint
  const why = how === 'killed' ? 'it had to be killed' : `its state is: ${state}`
  throw new RemodelError('job-failed', `${old.instance} did not shut down in order (${why}), and is the primary again`)
}

/** The heir has everything that was written before the old one shut down. */
async function received(context: StepContext, heir: Member, end: Position): Promise<void> {
  let had = 0
  const enough = async () => {
    const [seen] = await lookAt(context.provider, [heir])
    had = seen!.position.lsn
    return seen!.recovering === true && seen!.position.timeline === end.timeline && had > end.lsn
  }
  try {
    await until(`${heir.instance} receiving all`, context.signal, receiveMs, enough)
  } catch (cause) {
    if (context.signal.aborted) throw cause
    const up = `has the log up to ${lsnText(had)} and not to its end at ${lsnText(end.lsn)}`
    throw new RemodelError('job-failed', `${heir.instance} cannot take over: it ${up}`, { cause })
  }
}

/** Where this fails the next attempt, or the next plan, finds the old one stopped and goes on from there. */
async function takeBack(context: StepContext, connection: Connection, old: Member): Promise<void> {
  try {
    context.say(`starting ${old.instance} again as the primary`)
    await startServer(connection)
    await until(`${old.instance} taking writes again`, AbortSignal.timeout(takeBackMs), takeBackMs, async () => {
      const [seen] = await lookAt(context.provider, [old])
      return seen!.recovering === false
    })
    await failpoint('switch-over.taken-back')
  } catch (error) {
    context.log.error({ instance: old.instance, err: toError(error) }, 'the old primary could not be started again')
  }
}

/** The former primary that an earlier attempt has stopped: no replica is ever `shut down` without `in recovery`. */
async function findCutOff(
  context: StepContext,
  others: readonly Member[],
): Promise<{ member: Member; demoted: boolean }> {
  const silent = (await lookAt(context.provider, others)).filter(({ recovering }) => recovering === null)
  const found = await Promise.all(
    silent.map(async ({ member }) => {
      const connection = await context.provider.connect(member.vm, context.fence).catch(() => null)
      if (!connection) return []
      try {
        const { state, checkpoint } = await readControlFile(connection)
        if (state !== 'shut down') return []
        const { exitCode } = await connection.exec(['test', '-e', `${place.data}/standby.signal`])
        return [{ member, checkpoint, demoted: exitCode === 0 }]
      } catch (error) {
        if (error instanceof RemodelError && error.code === 'superseded') throw error
        return []
      } finally {
        connection.close()
      }
    }),
  )
  const [old] = found.flat().sort((a, b) => comparePositions(b.checkpoint, a.checkpoint))
  if (old) return old
  const names = others.map(({ instance }) => instance).join(', ')
  throw new RemodelError('infrastructure', `none of ${names || 'no instances'} takes writes`)
}

async function takeOver(context: StepContext, heir: Member): Promise<void> {
  const connection = await context.provider.connect(heir.vm, context.fence)
  try {
    context.say(`${heir.instance} takes over`)
    await forgetFork(connection)
    await promote(context, connection, heir)
    await failpoint('switch-over.promoted')
  } finally {
    connection.close()
  }
}

/** From here an attempt before this one, that was only paused, can promote nothing. */
async function showFence(context: StepContext, { vm }: Member): Promise<void> {
  const connection = await context.provider.connect(vm, context.fence)
  try {
    await connection.exec(['true'])
  } finally {
    connection.close()
  }
}
