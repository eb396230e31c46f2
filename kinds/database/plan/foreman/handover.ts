import { type ActualMaterial, materialType } from '../../../../shared/model/material.ts'
import { comparePositions, positionText } from '../../postgres/position.ts'
import { answersNeeded, type Commits, isEnough } from '../../postgres/quorum.ts'
import { type NodeInstances, NodeView } from './node-view.ts'

/** The primary role goes from one instance of a node to another. */
export type Handover = {
  node: string
  from: string
  to: string
} & (
  | {
      /** The document asks for another one. */
      how: 'switch-over'
    }
  | {
      /**
       * `fail-over`: the old one's machine is gone. `promote-node`: all servers are replicas, as a handover was cut
       * off.
       */
      how: 'fail-over' | 'promote-node'
      candidates: string[]
      wake: string[]
      commits: Commits
      slots: string[]
      acceptLoss: boolean
      /** Why the old one's machine, which exists, is to be ended. */
      out?: string
      /** Its disk is full, so it is ended also where its server runs. */
      full?: boolean
      /** What may be lost; a person approves it before. Absent: nothing that was acknowledged. */
      loss?: string
    }
)

interface Wishes {
  acceptLoss?: boolean
  /** Nodes that are being filled from another one: they take no writes yet, and are not to. */
  filling?: ReadonlySet<string>
}

/**
 * Decides which server becomes the primary of a node that has none, or another one than the document asks for;
 * nothing is done before.
 *
 *   its machine is gone, does not answer, or has a full disk: `fail-over` (which ends it first), where those that
 *   answer, or can be woken, hold for certain all that was acknowledged. Else its
 *                           machine is made anew on its disk, which loses nothing. Where that is gone
 *                           too, a person is asked. On a full disk it waits for room.
 *   all are replicas        `promote-node`, by the same rule.
 *   another one is wanted   `switch-over`: `late`, behind the rest of the plan, where the heir has to be repaired first.
 *
 * `materials` are the floorplan as it is once `handovers` are done. A primary whose machine exists is
 * brought back where it is.
 */
export function handovers(
  materials: readonly ActualMaterial[],
  nodes: readonly NodeInstances[],
  wanted: Readonly<Record<string, string>>,
  { acceptLoss = false, filling = new Set() }: Wishes = {},
): { handovers: Handover[]; late: Handover[]; materials: ActualMaterial[]; notes: string[] } {
  const byId = new Map(materials.map((material) => [material.id, material]))
  const found: Handover[] = []
  const late: Handover[] = []
  const notes: string[] = []
  for (const resources of nodes) {
    const view = new NodeView(byId, resources)
    const { node, primary: from } = view
    if (from === '' || filling.has(node)) continue
    const to = wanted[node]
    const out = view.whyOut(from)
    if (view.machineIsGone(from) || out !== '') {
      const chosen = failOver(view, to, acceptLoss, out)
      if ('note' in chosen) notes.push(chosen.note)
      else {
        found.push(chosen)
        if (out !== '') notes.push(`${out}: it is ended, and ${afterwards(view, from)}`)
        if (chosen.loss !== undefined) notes.push(chosen.loss)
      }
    } else if (view.isCutOff) {
      found.push(promotion(view, to, acceptLoss))
      notes.push(`no server of ${node} takes writes: the one that has most of the log is to`)
    } else if (to !== undefined && to !== from && view.staying.includes(to)) {
      const fault = view.fault(to)
      const handover: Handover = { node, from, to, how: 'switch-over' }
      if (fault === '' && view.answers(from)) found.push(handover)
      else if (view.hasFullDisk(to)) notes.push(`${fault}: ${node} is not switched over to it before there is room`)
      else {
        late.push(handover)
        notes.push(`${fault || `${from} does not answer`}: that is mended before ${node} is switched over to ${to}`)
      }
    }
  }
  const heirs = new Map(found.map(({ node, to }) => [`node/${node}`, to]))
  const moved = new Set(found.flatMap(({ node, how }) => (how === 'switch-over' ? [] : [node])))
  const ended = new Set(
    found.flatMap((one) =>
      one.how === 'fail-over' ? [`host/${byId.get(`instance/${one.from}`)?.attributes.host_id}`] : [],
    ),
  )
  const after = materials.map((material) => {
    const heir = heirs.get(material.id)
    if (heir !== undefined) {
      return { ...material, attributes: { ...material.attributes, primary_instance_id: heir } }
    }
    if (ended.has(material.id)) return madeAnew(material)
    return moved.has(String(material.attributes.node)) ? suspect(material) : material
  })
  return { handovers: found, late, materials: after, notes }
}

const afterwards = (view: NodeView, from: string) =>
  view.hasFullDisk(from)
    ? `another server of ${view.node} takes writes`
    : `made anew when another server of ${view.node} takes writes`

/** Its machine is ended before another server takes over. */
function madeAnew(material: ActualMaterial): ActualMaterial {
  const known = material.meta.resource as { error?: string } | undefined
  if (known === undefined) return material
  const resource = { ...known, needs_recreate: true, error: known.error || 'its machine is ended' }
  return { ...material, meta: { ...material.meta, resource } }
}

/** The followers of the new primary are known when there is one: every server of the node is looked at again. */
function suspect(material: ActualMaterial): ActualMaterial {
  const { resource } = material.meta
  if (materialType(material.id) !== 'instance' || resource === undefined) return material
  const known = resource as { error?: string }
  return {
    ...material,
    meta: { ...material.meta, resource: { ...known, error: known.error || 'its primary changes' } },
  }
}

function failOver(
  view: NodeView,
  wanted: string | undefined,
  acceptLoss: boolean,
  out: string,
): (Handover & { loss?: string }) | { note: string } {
  const { node, primary: from, commits } = view
  const others = view.servers.filter((server) => server !== from)
  const answering = others.filter((server) => view.answers(server))
  const wake = others.filter((server) => view.canBeWoken(server))
  const enough = isEnough(commits, answering)
  const most = view.furthest(answering)
  const furthest = most === undefined ? null : view.position(most)
  const mayLead = (server: string) => view.staying.includes(server) && !view.hasFullDisk(server)
  const staying = answering.filter(mayLead)
  const complete = staying.filter(
    (server) => view.hasSlots(server) && furthest && comparePositions(view.position(server)!, furthest) === 0,
  )
  const heir = preferred(complete, wanted)
  const base = { node, from, slots: view.slots, commits, ...(out === '' ? {} : { out, full: view.hasFullDisk(from) }) }
  const fail = (to: string, more: { wake: string[]; acceptLoss: boolean; loss?: string }): Handover => {
    const candidates = [...staying, ...more.wake].filter(mayLead)
    return { ...base, how: 'fail-over', to, candidates, ...more }
  }
  if (enough && heir !== undefined) return fail(heir, { wake: [], acceptLoss: false })
  const first = preferred(complete.length > 0 ? complete : staying, wanted) ?? wake.find(mayLead)
  const instead = view.hasFullDisk(from) ? `${out}: make room on it` : 'its primary is brought back'
  if (first === undefined) return { note: `node ${node} has no replica that could take over: ${instead}` }
  const loss = lossOf(view, answering)
  if (acceptLoss) return fail(first, { wake, acceptLoss: true })
  if (!enough && isEnough(commits, [...answering, ...wake])) return fail(first, { wake, acceptLoss: false })
  if (enough || view.diskStands(from)) {
    const why = enough ? 'no replica has copies of its slots' : loss
    return {
      note: `node ${node} has no replica that could take over without loss (${why}): ${instead}; --accept-loss fails over instead`,
    }
  }
  return fail(first, {
    wake,
    acceptLoss: true,
    loss: `node ${node} fails over from ${from}: ${loss}; --accept-loss asks no more`,
  })
}

function promotion(view: NodeView, wanted: string | undefined, acceptLoss: boolean): Handover {
  const { node, primary: from, commits, slots } = view
  const able = view.staying.filter((server) => !view.hasFullDisk(server))
  const candidates = able.length > 0 ? able : [...view.staying]
  const wake = view.servers.filter((server) => view.canBeWoken(server))
  const to =
    [wanted, from].find((server) => server !== undefined && candidates.includes(server)) ?? candidates[0] ?? from
  return { node, from, to, how: 'promote-node', candidates, wake, commits, slots, acceptLoss }
}

function preferred(servers: readonly string[], wanted: string | undefined): string | undefined {
  return servers.find((server) => server === wanted) ?? servers[0]
}

/** How much may be lost, as far as anybody can know. */
function lossOf(view: NodeView, answering: readonly string[]): string {
  const { commits, primary } = view
  const silent = commits.of.filter((server) => !answering.includes(server))
  const most = view.furthest(answering)
  const has = most === undefined ? null : view.position(most)
  const known = most === undefined ? 'no server answers' : `${most} has the log up to ${positionText(has!)}`
  const words = silent.map((server) => {
    const seen = view.position(server)
    if (!seen) return `${server} was never seen`
    const ahead =
      has && seen.timeline === has.timeline && seen.lsn > has.lsn ? `, ${seen.lsn - has.lsn} bytes more` : ''
    return `${server} had at least ${positionText(seen)}${ahead}`
  })
  if (commits.confirm === 0) {
    return `commits of ${view.node} wait for no replica, so what ${primary} acknowledged last may be lost; ${[known, ...words].join(', ')}`
  }
  const count = `${answering.length} servers answer and ${answersNeeded(commits)} are needed to be sure`
  return `${count}, so what only ${silent.join(' or ')} has may be lost; ${[known, ...words].join(', ')}`
}
