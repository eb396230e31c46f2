import type { z } from 'zod'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { failpoint } from '../../../shared/runtime/failpoint.ts'
import { defineStep, type StepContext, type StepResult } from '../../contract/step.ts'
import { inputs, type Member } from '../inputs.ts'
import { handOver } from '../server/hand-over.ts'
import { recordedNode } from '../server/node-record.ts'
import { findPrimary, lookAt } from '../server/primary.ts'
import { recorded } from '../server/record.ts'
import { settle } from '../server/settling.ts'

/**
 * The primary is stopped, which sends its replicas all it has; then the heir takes over, and the old one follows it.
 * Writes pause meanwhile, nothing is lost: `server/hand-over.ts`.
 */
export default defineStep({
  input: inputs['switch-over'],
  look: async (context, input) =>
    (await findPrimary(context.provider, input.members))?.instance === input.to &&
    (await allAnswer(context, input.members))
      ? done(context, input)
      : null,
  async apply(context, { members, to, synchronous }) {
    const heir = members.find(({ instance }) => instance === to)
    if (!heir) throw new RemodelError('infrastructure', `there is no instance ${to}`)
    const others = members.filter((member) => member !== heir)
    const old = await handOver(context, heir, others)
    await settle(context, heir, others, { synchronous, ...(old ? { needed: old.instance } : {}) })
    await failpoint('switch-over.arranged')
  },
  async verify(context, input) {
    if ((await findPrimary(context.provider, input.members))?.instance === input.to) return done(context, input)
    throw new RemodelError('infrastructure', `${input.to} did not become the primary`)
  },
})

/** Planned by the operations it is a resource of its own; asked for by the document it changes the node. */
async function done(context: StepContext, input: z.infer<(typeof inputs)['switch-over']>): Promise<StepResult> {
  if (input.resource.identifier.type !== 'database.node') return recorded(context, input)
  const heir = input.members.find(({ instance }) => instance === input.to) ?? null
  return recordedNode(context, input, input.members, heir)
}

async function allAnswer(context: StepContext, members: readonly Member[]): Promise<boolean> {
  return (await lookAt(context.provider, members)).every(({ recovering }) => recovering !== null)
}
