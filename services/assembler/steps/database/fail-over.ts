import { RemodelError } from '../../../../shared/errors.ts'
import { failpoint } from '../../../../shared/failpoint.ts'
import { inputs } from '../../../../shared/kinds/database.ts'
import { defineStep } from '../step.ts'
import { arrange } from './server/configuration.ts'
import { ensureInstanceSlot } from './server/follow.ts'
import { lookAt } from './server/primary.ts'
import { reloadServer } from './server/process.ts'
import { promote } from './server/promote.ts'
import { recorded } from './server/record.ts'

/**
 * A replica takes over from a primary whose machine is gone. Whatever may be left of that machine is ended first, so that
 * there are never two who take writes; its disk stays. Commits wait for nobody until the node is whole again.
 */
export default defineStep({
  input: inputs['fail-over'],
  look: async () => null,
  async apply(context, { members, to, lost }) {
    const heir = members.find(({ instance }) => instance === to)
    if (!heir) throw new RemodelError('infrastructure', `there is no instance ${to}`)
    for (const { vm } of lost) await context.provider.deleteVm(vm, context.fence)
    await failpoint('fail-over.ended')
    const connection = await context.provider.connect(heir.vm, context.fence)
    try {
      const upstream = members.filter(({ instance }) => instance !== to)
      await arrange(connection, { self: to, upstream, primaryOnly: true, synchronous: [] })
      await reloadServer(connection)
      await promote(context, connection, heir)
      await failpoint('fail-over.promoted')
    } finally {
      connection.close()
    }
    const living = members.filter((one) => one !== heir && !lost.some(({ instance }) => instance === one.instance))
    for (const { instance } of living) await ensureInstanceSlot(context.provider, heir, instance)
  },
  async verify(context, input) {
    const heir = input.members.filter(({ instance }) => instance === input.to)
    const [seen] = await lookAt(context.provider, heir)
    if (seen?.recovering !== false) throw new RemodelError('infrastructure', `${input.to} did not become the primary`)
    return recorded(context, input, { primary_instance_id: input.to })
  },
})
