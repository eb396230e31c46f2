import { RemodelError } from '../../../shared/runtime/errors.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { linkName } from '../postgres/names.ts'
import { openNode } from '../server/admission.ts'
import { recordedNode } from '../server/node-record.ts'
import { findPrimary, onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'

/** Clients come to a node that was added: every other node has a slot on it by now, so what they write reaches all. */
export default defineStep({
  input: inputs['open-node'],
  look: async () => null,
  async apply(context, { node, members, database, peers }) {
    const wanted = peers.map((peer) => linkName(node, peer))
    await onPrimary(context, members, database, async (session) => {
      const sql =
        'SELECT slot_name FROM pg_replication_slots WHERE invalidation_reason IS NULL AND slot_name = ANY ($1)'
      const there = new Set((await session.query(sql, [wanted])).map(({ slot_name }) => slot_name))
      const missing = peers.filter((peer) => !there.has(linkName(node, peer)))
      if (missing.length === 0) return
      throw new RemodelError(
        'job-failed',
        `${node} stays closed to clients: it keeps no log for ${missing.join(', ')}, which would miss what they write`,
      )
    })
    await openNode(context, members)
  },
  async verify(context, input) {
    const primary = await findPrimary(context.provider, input.members)
    return primary ? recordedNode(context, input, input.members, primary) : recorded(context, input)
  },
})
