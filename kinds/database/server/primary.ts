import { setTimeout as sleep } from 'node:timers/promises'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { StepContext, Wait } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { openFenced } from '../postgres/fenced.ts'
import { comparePositions, type Position, positionOf, positionSql } from '../postgres/position.ts'
import { type Machines, openSession, type Session } from '../postgres/server.ts'

const momentMs = 2000
const lookAgainMs = 3000

export interface Seen {
  member: Member
  /** Null: it does not answer. */
  recovering: boolean | null
  position: Position
}

/** How the servers of a node do now, asked all at once. */
export async function lookAt(machines: Machines, members: readonly Member[]): Promise<Seen[]> {
  return Promise.all(
    members.map(async (member): Promise<Seen> => {
      try {
        const session = await openSession(machines, member, 'postgres', { timeoutMs: 2000 })
        try {
          const [row] = await session.query(positionSql)
          return { member, recovering: row!.recovering === true, position: positionOf(row!) }
        } finally {
          await session.close()
        }
      } catch {
        return { member, recovering: null, position: { timeline: 0, lsn: 0 } }
      }
    }),
  )
}

/** The server that takes writes; of two that say so the one that was promoted last. Null where there is none. */
export async function findPrimary(machines: Machines, members: readonly Member[]): Promise<Member | null> {
  const primaries = (await lookAt(machines, members)).filter(({ recovering }) => recovering === false)
  return primaries.sort((a, b) => comparePositions(b.position, a.position))[0]?.member ?? null
}

/** Waits a while for it: it may be starting. Throws `infrastructure`. */
export async function primaryOf(
  machines: Machines,
  members: readonly Member[],
  signal: AbortSignal,
  waitMs = 20_000,
): Promise<Member> {
  const until = performance.now() + waitMs
  for (;;) {
    const primary = await findPrimary(machines, members)
    if (primary) return primary
    if (performance.now() >= until) {
      const names = members.map(({ instance }) => instance).join(', ')
      throw new RemodelError('infrastructure', `none of ${names || 'no instances'} takes writes`)
    }
    await sleep(200, undefined, { signal })
  }
}

/** Work on the primary of a node under the fence of the remodel. */
export async function onPrimary<T>(
  context: StepContext,
  members: readonly Member[],
  database: string,
  work: (session: Session, primary: Member) => Promise<T>,
): Promise<T> {
  const primary = await primaryOf(context.provider, members, context.signal)
  const session = await openFenced(context.provider, primary, database, context)
  try {
    return await work(session, primary)
  } finally {
    await session.close()
  }
}

/**
 * The same where there is something to take away: nothing is done where no server of the node takes writes any more, be
 * it that its machines are gone, or that it still follows another node. A machine that runs but does not answer is
 * waited for, unless the node is `going`: what is to be taken away there goes with it.
 */
export async function onPrimaryIfAny(
  context: StepContext,
  { members, going }: { members: readonly Member[]; going: boolean },
  database: string,
  work: (session: Session, primary: Member) => Promise<void>,
): Promise<void> {
  const seen = await lookAt(context.provider, members)
  if (!seen.some(({ recovering }) => recovering === false)) {
    if (going) return
    const vms = await Promise.all(members.map(({ vm }) => context.provider.findVm(vm)))
    const silent = seen.some(({ recovering }, index) => recovering === null && vms[index]?.state === 'running')
    if (!silent || seen.some(({ recovering }) => recovering === true)) return
  }
  if (going && !(await hasDatabase(context, members, database))) return
  return onPrimary(context, members, database, work)
}

async function hasDatabase(context: StepContext, members: readonly Member[], database: string): Promise<boolean> {
  const session = await openSession(
    context.provider,
    await primaryOf(context.provider, members, context.signal),
    'postgres',
  )
  try {
    return (await session.value('SELECT 1 FROM pg_database WHERE datname = $1', [database])) !== null
  } finally {
    await session.close()
  }
}

/** Polls until it is so; throws `deadline` after `waitMs`. Statements that fail meanwhile count as not yet. */
export async function until(what: string, signal: AbortSignal, waitMs: number, check: () => Promise<boolean>) {
  const { happened, cause } = await happens(signal, waitMs, check)
  if (!happened) throw new RemodelError('infrastructure', `${what} has not happened`, { cause })
}

/** For a condition that may take hours: polls for a moment, then it is a wait that no worker holds. */
export async function waitFor(
  what: string,
  signal: AbortSignal,
  check: () => Promise<boolean>,
): Promise<Wait | undefined> {
  const { happened } = await happens(signal, momentMs, check)
  return happened ? undefined : { for: what, afterMs: lookAgainMs }
}

/** Polls until it is so, at most for `waitMs`; `cause` is why the last look could not tell. */
async function happens(signal: AbortSignal, waitMs: number, check: () => Promise<boolean>) {
  const limit = performance.now() + waitMs
  for (;;) {
    let cause: unknown
    try {
      if (await check()) return { happened: true }
    } catch (error) {
      if (error instanceof RemodelError && error.code !== 'infrastructure') throw error
      cause = error
    }
    if (performance.now() >= limit) return { happened: false, cause }
    await sleep(100, undefined, { signal })
  }
}
