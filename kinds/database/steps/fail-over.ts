import type { Connection } from '../../../shared/provider/connection.ts'
import { impatient } from '../../../shared/provider/impatient.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext } from '../../contract/step.ts'
import { inputs, type Member } from '../inputs.ts'
import { arrange } from '../server/configuration.ts'
import { elect } from '../server/election.ts'
import { ensureInstanceSlot } from '../server/follow.ts'
import { completeFork, prepareFork } from '../server/fork.ts'
import { hasFullDisk, onMachine } from '../server/machine.ts'
import { recordedNode } from '../server/node-record.ts'
import { findPrimary, lookAt } from '../server/primary.ts'
import { reloadServer } from '../server/process.ts'
import { promote } from '../server/promote.ts'
import { isVerifiable } from '../server/tls.ts'

/**
 * A replica takes over from a primary whose machine is gone, or whose disk is full. Whatever may be left of that
 * machine is ended first, so that there are never two primaries; its disk stays. Commits wait for the replicas that
 * answer; where there is none, they do not wait until the node is whole again.
 */
export default defineStep({
  input: inputs['fail-over'],
  look: async () => null,
  async apply(context, input) {
    const { members, to, lost, candidates, synchronous } = input
    const gone = new Set(lost.map(({ instance }) => instance))
    const there = members.filter(({ instance }) => !gone.has(instance))
    const doubted = new Set(lost.map(({ vm }) => vm))
    const actual = await findPrimary(impatient(context.provider, doubted), lost)
    if (actual && !(input.full && (await hasFullDisk(context.provider, actual)))) {
      const names = lost.map(({ instance }) => instance).join(', ')
      throw new RemodelError('job-failed', `${names} takes writes again: nothing has to take over; plan again`)
    }
    for (const { vm } of lost) await context.provider.deleteVm(vm, context.fence)
    await failpoint('fail-over.ended')
    const preferred = [to, ...candidates.filter((one) => one !== to)]
    const chosen = await elect(context, { ...input, members: there, candidates: preferred })
    const heir = chosen.member
    if (chosen.recovering === false) {
      await onMachine(context, heir, (connection) => completeFork(context, connection, heir, input))
      return
    }
    const living = (await lookAt(context.provider, there)).filter(
      ({ member, recovering }) => member !== heir && recovering !== null,
    )
    const confirming = living.map(({ member }) => member.instance)
    for (const instance of confirming) await ensureInstanceSlot(context.provider, heir, instance)
    await onMachine(context, heir, async (connection) => {
      await prepareFork(context, connection, input, chosen)
      await takeOver(context, connection, { heir, members, synchronous: synchronous ? confirming : [] })
      await completeFork(context, connection, heir, input)
    })
  },
  async verify(context, input) {
    const gone = new Set(input.lost.map(({ instance }) => instance))
    const there = input.members.filter(({ instance }) => !gone.has(instance))
    const primary = await findPrimary(context.provider, there)
    if (!primary) throw new RemodelError('infrastructure', `no server of ${input.node} became the primary`)
    return recordedNode(context, input, there, primary)
  },
})

async function takeOver(
  context: StepContext,
  connection: Connection,
  { heir, members, synchronous }: { heir: Member; members: readonly Member[]; synchronous: readonly string[] },
): Promise<void> {
  const upstream = members.filter(({ instance }) => instance !== heir.instance)
  const verified = await isVerifiable(context.provider, members)
  await arrange(connection, { self: heir.instance, upstream, primaryOnly: true, verified, synchronous })
  await reloadServer(connection)
  await context.pointOfNoReturn()
  context.say(`${heir.instance} takes over`)
  await promote(context, connection, heir)
  await failpoint('fail-over.promoted')
}
