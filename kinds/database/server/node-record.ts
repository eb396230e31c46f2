import type { Attributes } from '../../../shared/model/material.ts'
import type { StepContext, StepResult } from '../../contract/step.ts'
import type { Member, Resource } from '../inputs.ts'
import { type Commits, commitsIn } from '../postgres/quorum.ts'
import { openSession } from '../postgres/server.ts'
import { lookAt } from './primary.ts'
import { recorded } from './record.ts'

/**
 * A node as the floorplan remembers it: its primary, what its commits wait for as that server has it, and how
 * far each of its servers had come. When the primary is lost, these say whether those that answer hold all
 * that was acknowledged.
 */
export async function recordedNode(
  context: StepContext,
  given: { event: 'create' | 'update' | 'delete'; resource: Resource },
  members: readonly Member[],
  primary: Member | null,
): Promise<StepResult> {
  if (!primary) return recorded(context, given, { primary_instance_id: members[0]?.instance ?? '' })
  const seen = Object.fromEntries(
    (await lookAt(context.provider, members)).flatMap(({ member, recovering, position }) =>
      recovering === null ? [] : [[member.instance, position]],
    ),
  )
  const more = { commits: await commitsAsArranged(context, primary, members), seen }
  return recorded(context, given, { primary_instance_id: primary.instance }, more as unknown as Attributes)
}

async function commitsAsArranged(context: StepContext, primary: Member, members: readonly Member[]): Promise<Commits> {
  const session = await openSession(context.provider, primary, 'postgres')
  try {
    const text = String(await session.value(`SELECT current_setting('synchronous_standby_names')`))
    return commitsIn(
      text,
      primary.instance,
      members.map(({ instance }) => instance),
    )
  } finally {
    await session.close()
  }
}
