import type { z } from 'zod'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext, type StepResult } from '../../contract/step.ts'
import { inputs, type Member } from '../inputs.ts'
import { instanceSlot } from '../postgres/names.ts'
import { openSession } from '../postgres/server.ts'
import { renamedMaterial } from '../renaming.ts'
import { arrangeNode } from '../server/arrangement.ts'
import { whyNotFollowing } from '../server/following.ts'
import { recordedNode } from '../server/node-record.ts'
import { findPrimary, until } from '../server/primary.ts'
import { linksOf, renameLink } from '../server/rename-link.ts'

type Input = z.infer<(typeof inputs)['rename-node']>

const momentMs = 5000

/**
 * What goes by a node's name gets the other one: slots and subscriptions of its links, then slots of its replicas
 * and what its commits wait for. No server starts again, no session ends and no row is copied. All that can be in
 * the way is asked before; behind that the step goes on to its end, as half of the links under either name would be
 * of no use to a plan for either.
 */
export default defineStep({
  input: inputs['rename-node'],
  async look(context, { from }) {
    return (await context.actual(`node/${from}`)) ? null : { floorplan: {} }
  },
  async apply(context, input) {
    await refuseInTheWay(context, input)
    await context.pointOfNoReturn()
    for (const link of linksOf(input)) {
      context.say(`renaming the link from ${link.provider.was} to ${link.subscriber.was}`)
      await renameLink(context, link)
    }
    if (input.members.length > 1) context.say('its replicas follow under their new names')
    await arrangeNode(context, input.members, input)
    await dropFormerSlots(context, input)
    await failpoint('rename-node.arranged')
  },
  async verify(context, input) {
    const floorplan: StepResult['floorplan'] = {}
    for (const id of input.materials) {
      const actual = await context.actual(id)
      if (!actual) continue
      const { id: renamed, ...rest } = renamedMaterial(actual, input)
      floorplan[id] = null
      floorplan[renamed] = rest
    }
    const node = await recordedNode(context, input, input.members, await findPrimary(context.provider, input.members))
    return { floorplan: { ...floorplan, ...node.floorplan } }
  },
})

/**
 * Its replicas follow by other slots now; one that has only just left its own lets it go in a moment. A replica may
 * have such slots too, from when it was the primary, or as they came with its copy.
 */
async function dropFormerSlots(context: StepContext, input: Input): Promise<void> {
  const former = input.members.map((member) => instanceSlot(formerName(member, input)))
  await Promise.all(
    input.members.map((member) =>
      until(`dropping slots of ${input.from} on ${member.instance}`, context.signal, 20_000, async () => {
        const session = await openSession(context.provider, member, 'postgres')
        try {
          const of = `FROM pg_replication_slots WHERE slot_type = 'physical' AND slot_name = ANY ($1)`
          await session.query(`SELECT pg_drop_replication_slot(slot_name) ${of} AND NOT active`, [former])
          return (await session.value(`SELECT 1 ${of}`, [former])) === null
        } finally {
          await session.close()
        }
      }),
    ),
  )
}

const formerName = ({ instance }: Member, { from, to }: Input) => `${from}${instance.slice(to.length)}`

/**
 * Every node takes writes and every replica of this one follows it, by its old name or, where an attempt came
 * so far, by the new one.
 */
async function refuseInTheWay(context: StepContext, input: Input): Promise<void> {
  const { from, members, peers } = input
  for (const [node, servers] of Object.entries({ [from]: members, ...peers })) {
    if (await findPrimary(context.provider, servers)) continue
    throw new RemodelError('infrastructure', `no server of ${node} takes writes: ${from} keeps its name until one does`)
  }
  const primary = await findPrimary(context.provider, members)
  for (const member of members) {
    if (member.instance === primary?.instance) continue
    const called = [member, { ...member, instance: formerName(member, input) }]
    const whys = await Promise.all(
      called.map((name) =>
        whyNotFollowing(context.provider, name, members, { waitMs: momentMs, signal: context.signal }),
      ),
    )
    if (!whys.includes(null)) throw new RemodelError('infrastructure', `${from} keeps its name: ${whys[1]}`)
  }
}
