import { versioned } from '../../../shared/model/input-version.ts'
import type { Floorplan } from '../../../shared/model/material.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { PlanDraft, RemodelDraft } from '../../contract/draft.ts'
import type { Restart } from '../action-inputs.ts'
import { inputs } from '../inputs.ts'
import type { DatabaseReason } from '../reasons.ts'
import { ActualNodes } from './foreman/actual-nodes.ts'
import { restartText, switchOverText } from './foreman/consequences.ts'
import { handoverRemodels } from './foreman/handover-remodels.ts'
import type { NodeView } from './foreman/node-view.ts'

/** Longer than any crash recovery should take. */
const restartSeconds = 900
const attempts = 3

interface Piece {
  remodels: RemodelDraft[]
  consequence: string
}

/**
 * Servers start again one after the other: of each node its replicas, then its primary, in place or by a switch-over to
 * a replica that is ready, which starts it again as a replica. Pure. Throws `not-found` for a part that there is not,
 * `conflict` where a machine is gone.
 */
export function restart(seen: Floorplan, { parts, switchOver }: Restart): PlanDraft {
  const actual = new ActualNodes(seen)
  const chosen = new Set(actual.chosen(parts))
  if (chosen.size === 0) throw new RemodelError('conflict', `${actual.deployment} has no servers`)
  const pieces = actual.names.flatMap((node) => {
    const own = actual.serversOf(node).filter((server) => chosen.has(server))
    return own.length === 0 ? [] : piecesOf(actual, node, { own, switchOver })
  })
  const remodels: RemodelDraft[] = []
  for (const draft of pieces.flatMap((piece) => piece.remodels)) {
    const before = remodels.at(-1)
    remodels.push({ ...draft, needs: before ? [before.id] : [] })
  }
  const consequences = pieces.map(({ consequence }) => consequence)
  return { remodels: versioned(remodels, inputs), windows: [], permits: [], consequences, notes: [] }
}

function piecesOf(
  actual: ActualNodes,
  node: string,
  { own, switchOver }: { own: readonly string[]; switchOver: boolean },
): Piece[] {
  const unfinished = actual.whyUnfinished(node)
  if (unfinished !== undefined)
    throw new RemodelError('conflict', `${unfinished}: deploy its document, which finishes that`)
  const view = actual.viewOf(node)
  const { primary } = view
  const inOrder = [...own.filter((server) => server !== primary), ...own.filter((server) => server === primary)]
  return inOrder.map((server): Piece => {
    refuseUnreachable(actual.deployment, view, server)
    if (server !== primary || !switchOver || actual.serversOf(node).length === 1) return inPlace(actual, view, server)
    const to = actual.serversOf(node).find((other) => view.isReplica(other) && view.fault(other) === '')
    if (to === undefined)
      throw new RemodelError('conflict', `no replica of ${node} is ready to take over: leave --switch-over out`)
    const change = { node, from: primary, to, how: 'switch-over' } as const
    return {
      remodels: handoverRemodels(change, actual.surroundings, { code: 'primary-restarts', primary }),
      consequence: switchOverText(node, primary, to),
    }
  })
}

function refuseUnreachable(deployment: string, view: NodeView, server: string): void {
  const why = view.machineIsGone(server) ? `the machine of ${server} is gone` : view.whyOut(server)
  const next = view.hasFullDisk(server)
    ? 'make room on it first'
    : `deploy the document of ${deployment}, which makes it anew`
  if (why !== '') throw new RemodelError('conflict', `${why}: ${next}`)
}

function inPlace(actual: ActualNodes, view: NodeView, server: string): Piece {
  const { node, primary, commits } = view
  const members = actual.membersOf(node)
  const isPrimary = server === primary
  const { started } = actual.meta(server)
  const why = view.fault(server)
  const input = {
    deployment: actual.deployment,
    node,
    member: members.find(({ instance }) => instance === server)!,
    others: members.filter(({ instance }) => instance !== server),
    started: typeof started === 'string' ? started : null,
    follows: why === '',
  }
  const others = members.filter(({ instance }) => instance !== server && instance !== primary && view.answers(instance))
  return {
    remodels: [
      {
        id: `restart-server instance/${server}`,
        step: 'restart-server',
        action: 'run',
        material: `instance/${server}`,
        verb: 'restart',
        subject: server,
        stage: `restart ${node}`,
        reasons: [
          { code: 'asked-for' },
          ...(why === '' || isPrimary ? [] : [{ code: 'not-following', what: why } as const]),
        ] satisfies DatabaseReason[],
        input,
        deadlineSeconds: restartSeconds,
        attempts,
      },
    ],
    consequence: restartText({ node, server, primary: isPrimary, alone: commits.confirm > others.length }),
  }
}
