import { RemodelError, toError } from '../../../shared/runtime/errors.ts'
import type { StepContext } from '../../contract/step.ts'
import type { Member } from '../inputs.ts'
import { instanceSlot } from '../postgres/names.ts'
import { arrangeNode } from './arrangement.ts'
import { whyNotFollowing } from './following.ts'
import { startServer } from './process.ts'

/** How long a server has to follow the new primary: the one it was planned with, and any other. */
const patienceMs = { needed: 60_000, other: 10_000 }

/**
 * After another server of a node has become its primary: the others are started and follow it, and commits wait for
 * them. A server that does not follow is left to the repair that comes behind; without `needed` nothing is well.
 */
export async function settle(
  context: StepContext,
  primary: Member,
  others: readonly Member[],
  { synchronous, needed }: { synchronous: boolean; needed?: string },
): Promise<void> {
  await Promise.all(others.map((member) => startIfThere(context, member, member.instance === needed)))
  const whys = await Promise.all(
    others.map((member) => {
      const waitMs = member.instance === needed ? patienceMs.needed : patienceMs.other
      return whyNotFollowing(context.provider, member, [primary], { waitMs, signal: context.signal })
    }),
  )
  const followers = others.filter((_, index) => whys[index] === null)
  const missing = others.findIndex(({ instance }, index) => instance === needed && whys[index] !== null)
  if (missing >= 0) throw new RemodelError('infrastructure', whys[missing]!)
  const keep = others.map(({ instance }) => instanceSlot(instance))
  await arrangeNode(context, [primary, ...followers], { synchronous, keep })
}

async function startIfThere(context: StepContext, member: Member, needed: boolean): Promise<void> {
  try {
    const vm = await context.provider.findVm(member.vm)
    if (vm?.state !== 'running') return
    const connection = await context.provider.connect(member.vm, context.fence)
    try {
      await startServer(connection)
    } finally {
      connection.close()
    }
  } catch (error) {
    if (needed || (error instanceof RemodelError && error.code === 'superseded')) throw error
    context.log.warn({ instance: member.instance, err: toError(error) }, 'a server cannot be started')
  }
}
