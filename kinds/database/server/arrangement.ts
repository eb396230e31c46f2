import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { instanceSlot } from '../postgres/names.ts'
import { openSession } from '../postgres/server.ts'
import { arrange } from './configuration.ts'
import { ensureInstanceSlot } from './follow.ts'
import { whyNotFollowing } from './following.ts'
import { primaryOf } from './primary.ts'
import { reloadServer } from './process.ts'
import { slotsArrived } from './slots.ts'
import { isVerifiable } from './tls.ts'

/**
 * Makes a node of its servers: every replica has a slot at the primary and follows the server that takes
 * writes, and commits wait for one of them. That is asked for only once they follow, or every write would
 * hang. Answers the primary.
 */
export async function arrangeNode(
  context: StepContext,
  members: readonly Member[],
  of: { synchronous: boolean; keep: readonly string[]; unread?: readonly string[] },
): Promise<Member> {
  const primary = await primaryOf(context.provider, members, context.signal)
  const replicas = members.filter(({ instance }) => instance !== primary.instance)
  for (const { instance } of replicas) await ensureInstanceSlot(context.provider, primary, instance)
  await dropForeignSlots(context, primary, [...of.keep, ...replicas.map(({ instance }) => instanceSlot(instance))])
  const verified = await isVerifiable(context.provider, members)
  for (const replica of replicas) await write(context, replica, { members, verified, synchronous: [] })
  const whys = await Promise.all(
    replicas.map((replica) =>
      whyNotFollowing(context.provider, replica, [primary], { waitMs: 60_000, signal: context.signal }),
    ),
  )
  const why = whys.find((found) => found !== null)
  if (why !== undefined) throw new RemodelError('infrastructure', why)
  await Promise.all(replicas.map((replica) => dropFormerSlots(context, replica)))
  // The same on all of them: a server that takes over waits for the others.
  for (const member of members) {
    await write(context, member, { members, verified, synchronous: of.synchronous ? members : [] })
  }
  const isAwaited = (slot: string) => !of.unread?.includes(slot)
  for (const replica of replicas) await slotsArrived(context, primary, replica, isAwaited)
  return primary
}

async function write(
  context: StepContext,
  member: Member,
  { members, verified, synchronous }: { members: readonly Member[]; verified: boolean; synchronous: readonly Member[] },
): Promise<void> {
  const others = (list: readonly Member[]) => list.filter(({ instance }) => instance !== member.instance)
  const connection = await context.provider.connect(member.vm, context.fence)
  try {
    await arrange(connection, {
      self: member.instance,
      upstream: others(members),
      primaryOnly: true,
      verified,
      synchronous: others(synchronous).map(({ instance }) => instance),
    })
    await reloadServer(connection)
  } finally {
    connection.close()
  }
}

/**
 * What a former primary kept for other nodes is in the way of the copies it gets from the new one; what it kept for
 * its replicas, which follow the new one, holds its log for ever.
 */
async function dropFormerSlots(context: StepContext, replica: Member): Promise<void> {
  const session = await openSession(context.provider, replica, 'postgres')
  try {
    await session.query(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
       WHERE pg_is_in_recovery() AND NOT active
         AND (slot_type = 'logical' AND NOT synced OR slot_type = 'physical' AND slot_name LIKE 'instance\\_%')`,
    )
  } finally {
    await session.close()
  }
}

/** A slot of an instance that is gone holds the log for ever. */
async function dropForeignSlots(context: StepContext, primary: Member, keep: readonly string[]): Promise<void> {
  const session = await openSession(context.provider, primary, 'postgres')
  try {
    await session.query(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
       WHERE slot_type = 'physical' AND slot_name LIKE 'instance\\_%' AND NOT active AND NOT slot_name = ANY ($1)`,
      [keep],
    )
  } finally {
    await session.close()
  }
}
