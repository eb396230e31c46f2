import { invalidInput } from '../../../../shared/source/document.ts'
import type { RemodelDraft } from '../../../contract/draft.ts'
import type { DatabaseReason } from '../../reasons.ts'
import type { Strategy } from '../strategy.ts'
import type { DatabaseContext } from './database-context.ts'
import type { PlannedRenaming } from './renaming.ts'

const deadlineSeconds = 900
const attempts = 5

/**
 * One after the other, ahead of everything: what a node has written is archived under the name that its backups have,
 * then it gets the other name, and its sequences the numbers of that.
 */
export function renamingRemodels(
  renamings: readonly PlannedRenaming[],
  { database, nodes }: Strategy,
  context: DatabaseContext,
): RemodelDraft[] {
  // Names of nodes that are renamed further on are those of before.
  const before = new Map(renamings.map(({ from, to }) => [to, from]))
  const drafts = renamings.flatMap(({ from, to, materials }): RemodelDraft[] => {
    before.delete(to)
    const members = context.membersOf(to)
    const { deployment } = context
    const others = nodes.map(({ node_name }) => node_name).filter((node) => node !== to && context.exists(node))
    const peers = Object.fromEntries(others.map((node) => [before.get(node) ?? node, context.membersOf(node)]))
    const input = {
      event: 'update',
      resource: context.actual('database.node', to),
      deployment,
      from,
      to,
      database,
      members,
      peers,
      materials: [...materials],
      synchronous: context.isSynchronous(to),
      keep: context.slots(),
    }
    const stage = `rename ${from} to ${to}`
    const reasons: DatabaseReason[] = [{ code: 'node-renamed' }]
    const draft = { stage, reasons, action: 'update', deadlineSeconds, attempts } as const
    const archived = Object.values(context.settingsOf(to)).some(({ backup }) => backup !== undefined)
    const tail: RemodelDraft = {
      ...draft,
      id: `archive-log archive/${from}`,
      step: 'archive-log',
      action: 'run',
      material: `archive/${from}`,
      title: `archive ${from} up to now`,
      input: { deployment, node: from, members },
    }
    const rename: RemodelDraft = {
      ...draft,
      id: `rename-node node/${to}`,
      step: 'rename-node',
      material: `node/${to}`,
      title: `${from} is called ${to} from now on: servers, data and links stay`,
      changes: [{ path: 'name', before: from, after: to }],
      input,
    }
    const share: RemodelDraft = {
      ...draft,
      id: `share-sequences node/${to}`,
      step: 'share-sequences',
      action: 'run',
      material: `sequences/${to}`,
      title: `have sequences of ${to} draw numbers that no other node draws`,
      input: { deployment, node: to, database, members },
    }
    return [...(archived ? [tail] : []), rename, ...(nodes.length > 1 ? [share] : [])]
  })
  return drafts.map((draft, at) => (at === 0 ? draft : { ...draft, needs: [drafts[at - 1]!.id] }))
}

/** What a rename means for those who use the node. */
export function renamingTexts(renamings: readonly PlannedRenaming[], context: DatabaseContext): string[] {
  return renamings.map(({ from, to }) => {
    const waits = context.isSynchronous(to) && context.membersOf(to).length > 1
    const kept = `node ${from} is called ${to} from now on, and keeps its servers, data and links`
    const archived = Object.values(context.settingsOf(to)).some(({ backup }) => backup !== undefined)
    return [
      kept,
      ...(waits ? ['writes on it wait for about 1 s'] : []),
      ...(archived ? [`its backups so far stay those of ${from}, and ${to} gets a first one`] : []),
    ].join('; ')
  })
}

/** Throws `invalid-input` where the same document asks for what takes a node down, or gives it another primary. */
export function refuseBesideRenaming(
  renamings: readonly PlannedRenaming[],
  { nodes }: Strategy,
  { handovers, restores }: { handovers: readonly { node: string }[]; restores: ReadonlyMap<string, unknown> },
): void {
  const [first] = renamings
  const other = handovers[0]?.node ?? [...restores.keys()][0]
  if (!first || other === undefined) return
  const what = handovers.length > 0 ? `${other} gets another primary` : `${other} is restored`
  const at = nodes.findIndex(({ node_name }) => node_name === first.to)
  const message = `node ${first.from} would be ${first.to} from now on, but ${what} in the same deploy: do one after the other`
  throw invalidInput([{ path: `nodes[${at}].name`, message }])
}
