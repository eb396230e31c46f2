import { versioned } from '../../../shared/model/input-version.ts'
import type { Floorplan } from '../../../shared/model/material.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { PlanDraft } from '../../contract/draft.ts'
import type { Promotion } from '../action-inputs.ts'
import { inputs } from '../inputs.ts'
import { ActualNodes } from './foreman/actual-nodes.ts'
import { switchOverText } from './foreman/consequences.ts'
import { handovers } from './foreman/handover.ts'
import { handoverRemodels } from './foreman/handover-remodels.ts'

/** A file of the log: one that lacks more would keep writers waiting while it comes on. */
const mostBehind = 16 * 2 ** 20

/**
 * The change that makes `server` the primary of its node, by the rules of a document that names it: a switch-over where
 * the primary answers, a fail-over where its machine is gone, a promotion where all servers are replicas. Pure. Throws
 * `not-found` for a server that there is not, `conflict` where it cannot take over as it is, or another one has more.
 */
export function promote(seen: Floorplan, { server, acceptLoss }: Promotion): PlanDraft {
  const actual = new ActualNodes(seen)
  const node = actual.nodeOf(server)
  const unfinished = actual.whyUnfinished(node)
  if (unfinished !== undefined) throw refused(`${unfinished}: deploy its document, which finishes that`)
  const view = actual.viewOf(node)
  const instances = actual.serversOf(node).map((instance_id) => ({ instance_id }))
  const found = handovers(seen.materials, [{ node_name: node, instances }], { [node]: server }, { acceptLoss })
  const [change] = found.handovers
  if (found.late.length > 0) {
    const why = view.fault(server) || `${view.primary} does not answer`
    throw refused(
      `${why}, so ${server} cannot take over: deploy the document of ${actual.deployment}, which mends that`,
    )
  }
  if (change === undefined) {
    if (view.primary === server) return draft([], { notes: [`${server} is the primary of ${node} already`] })
    throw refused(found.notes[0] ?? `${server} cannot take over`)
  }
  if (change.to !== server) {
    const other = `remodel promote ${actual.deployment} ${change.to}`
    throw refused(`${server} has less of the log than ${change.to}, or not the slots of other nodes: ${other}`)
  }
  if (change.how === 'switch-over') {
    const behind = Number(actual.meta(server).lag_bytes ?? 0)
    if (behind > mostBehind) {
      const wait = `writers would wait for it. See \`remodel database ${actual.deployment}\`, and ask again when it has come on`
      throw refused(`${server} is ${behind} bytes behind ${change.from}: ${wait}`)
    }
  }
  const rest = 'deploy its document afterwards, which makes anew what is gone'
  const notes = change.how === 'switch-over' ? [] : [rest]
  return draft(handoverRemodels(change, actual.surroundings, { code: 'asked-for' }), {
    consequences: [
      change.how === 'switch-over'
        ? switchOverText(node, change.from, server)
        : `${server} takes over: ${node} takes writes again`,
    ],
    notes: [...found.notes, ...notes, `a document whose primary_host_id of ${node} is another one switches it back`],
  })
}

function draft(
  remodels: PlanDraft['remodels'],
  more: Pick<PlanDraft, 'notes'> & Partial<Pick<PlanDraft, 'consequences'>>,
): PlanDraft {
  return { remodels: versioned(remodels, inputs), windows: [], permits: [], ...more }
}

function refused(why: string): RemodelError {
  return new RemodelError('conflict', why)
}
