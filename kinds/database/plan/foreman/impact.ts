import { canonical } from '../../../../shared/model/canonical.ts'
import type { Target } from '../../archive/chain.ts'
import { InstanceAttributes, type Restore } from '../../inputs.ts'
import { restartBy } from '../../postgres/restart-settings.ts'
import type { ArchiveSeen, Drops } from '../archived.ts'
import type { Event, NamedPlan, NodeResources } from '../operations/operations.ts'
import { sizeText } from '../texts.ts'
import { restartText, switchOverText } from './consequences.ts'
import type { DatabaseContext } from './database-context.ts'
import type { Handover } from './handover.ts'
import { type Changed, changedOf } from './settings.ts'
import { extensionsOf } from './steps.ts'

interface Planned {
  plans: readonly NamedPlan[]
  handovers: readonly Handover[]
  pending: ReadonlyMap<string, Restore>
  archives: readonly ArchiveSeen[]
}

/**
 * What a deploy means for those who use the database: who takes writes and when not, who restarts,
 * what comes and goes. Pure.
 */
export function impactOf(nodes: readonly NodeResources[], context: DatabaseContext, planned: Planned): string[] {
  const events = planned.plans.flatMap(({ phases }) => phases.flat())
  return [
    ...new Set([
      ...restoreTexts(planned, context),
      ...planned.handovers.map(handoverText),
      ...events.flatMap((event) => switchOverOf(event, context)),
      ...settingTexts(changedOf(nodes, context), context),
      ...events.flatMap((event) => serverTexts(event, context, planned)),
      ...extensionTexts(events, context),
      ...tlsTexts(nodes, context),
      ...userTexts(nodes, context),
    ]),
  ]
}

function handoverText({ how, node, from, to }: Handover): string {
  return how === 'switch-over' ? switchOverText(node, from, to) : `${to} takes over: ${node} takes writes again`
}

function switchOverOf({ resource: { identifier } }: Event, context: DatabaseContext): string[] {
  if (identifier.type !== 'database.switchover') return []
  const node = String(context.actual('database.instance', identifier.id)?.attributes.node)
  return [switchOverText(node, primaryOf(node, context), identifier.id)]
}

const primaryOf = (node: string, context: DatabaseContext) =>
  String(context.actual('database.node', node)?.attributes.primary_instance_id)

/**
 * In the order of the plan, of each node the primary last. Servers that read their settings again are named together.
 */
function settingTexts(changed: readonly Changed[], context: DatabaseContext): string[] {
  const isPrimary = ({ id, wanted: { node } }: Changed) => primaryOf(node, context) === id
  const inOrder = [...Map.groupBy(changed, ({ wanted }) => wanted.node).values()].flatMap((own) =>
    own.toSorted((a, b) => Number(isPrimary(a)) - Number(isPrimary(b))),
  )
  const reloaded: string[] = []
  const restarted: string[] = []
  for (const one of inOrder) {
    const { id, before, wanted } = one
    const names = [...new Set([...Object.keys(before.settings), ...Object.keys(wanted.settings)])]
    const how = names.filter((name) => before.settings[name] !== wanted.settings[name]).map(restartBy)
    if (!how.includes('yes') && !how.includes('maybe')) {
      reloaded.push(id)
      continue
    }
    const { node } = wanted
    const alone = context.isSynchronous(node) && context.membersOf(node).length === 2
    restarted.push(restartText({ node, server: id, primary: isPrimary(one), alone, unsure: !how.includes('yes') }))
  }
  if (reloaded.length === 0) return restarted
  const own = reloaded.length === 1 ? 'reads its' : 'read their'
  return [...restarted, `${listed(reloaded)} ${own} settings again: nothing is interrupted`]
}

function serverTexts({ type, resource }: Event, context: DatabaseContext, { pending }: Planned): string[] {
  if (resource.identifier.type !== 'database.instance') return []
  const server = resource.identifier.id
  if (type !== 'delete' && context.isLeft(server)) return []
  const { node } = InstanceAttributes.parse(resource.attributes)
  if (pending.has(node) || !context.isWanted(node)) return []
  const exists = context.actual('database.node', node) !== undefined
  if (type === 'delete') return exists ? [`${server} goes: ${node} goes on without it`] : []
  const source = context.sourceOf(node)
  if (source !== undefined) return [`${node} comes with what ${source} has, which goes on taking writes`]
  if (!exists || type !== 'create') return []
  if (primaryOf(node, context) === server) return [`${server} is brought back: no writes on ${node} until then`]
  return context.actual('database.instance', server) !== undefined
    ? [`${server} is set up again: ${node} goes on taking writes`]
    : [`${server} comes: it is copied from the primary of ${node}, which goes on taking writes`]
}

function extensionTexts(events: readonly Event[], context: DatabaseContext): string[] {
  return events.flatMap(({ type, resource }) => {
    const { type: of, id } = resource.identifier
    const stood = context.actual(of, id)
    if (of !== 'database.postgres_database' || type === 'delete' || !stood) return []
    const [before, after] = [extensionsOf(stood), extensionsOf(resource)]
    return [
      ...after
        .filter((name) => !before.includes(name))
        .map((name) => `extension ${name} comes: nothing is interrupted`),
      ...before
        .filter((name) => !after.includes(name))
        .map((name) => `extension ${name} goes; where something of the database rests on it, it stays`),
    ]
  })
}

/** Nodes that come back to the same moment of the same node are named together. */
function restoreTexts({ pending, archives }: Planned, context: DatabaseContext): string[] {
  const alike = Map.groupBy([...pending], ([, one]) =>
    canonical([one.deployment, one.node, one.backup, one.target as never]),
  )
  return [...alike.values()].flatMap((group) => {
    const restore = group[0]![1]
    const nodes = group.map(([node]) => node)
    const back = nodes.filter((node) => context.actual('database.node', node) !== undefined)
    const fresh = nodes.filter((node) => !back.includes(node))
    const moment = momentText(restore)
    const now = archives.find((one) => one.deployment === restore.deployment && one.node === restore.node)?.now ?? null
    return [
      ...(back.length === 0
        ? []
        : [
            `${listed(back)} go${back.length === 1 ? 'es' : ''} back to ${moment}${sinceText(restore.target, now)}${restore.target.type === 'default' ? '' : dropsText(back, context, archives)}: no writes until that is done; ` +
              'what was written since leaves, and stays in the archive, from which another restore brings it back',
          ]),
      ...(fresh.length === 0
        ? []
        : [`${listed(fresh)} come${fresh.length === 1 ? 's' : ''} with what ${restore.node} had at ${moment}`]),
    ]
  })
}

function momentText({ target, backup }: Restore): string {
  switch (target.type) {
    case 'time':
      return target.value
    case 'lsn':
      return `position ${target.value} of the log`
    case 'xid':
      return `the end of transaction ${target.value}`
    case 'immediate':
      return `the end of backup ${backup}`
    default:
      return 'the end of the archive'
  }
}

/** What is dropped with it on each node, as its server has counted it. */
function dropsText(
  nodes: readonly string[],
  { deployment }: DatabaseContext,
  archives: readonly ArchiveSeen[],
): string {
  const alike = Map.groupBy(nodes, (node) => {
    const drops = archives.find((one) => one.deployment === deployment && one.node === node)?.drops
    return drops === undefined ? '' : amountOf(drops)
  })
  const verb = nodes.length === 1 ? 'drops' : 'drop'
  const [first, ...others] = [...alike]
  if (others.length === 0 && first![0] !== '') return `, and ${verb} ${first![0]}`
  if (others.length === 0) return `; how many rows that drops is not known`
  return `, and ${verb} ${listed([...alike].map(([amount, own]) => `${amount || 'a number of rows that is not known'} on ${listed(own)}`))}`
}

function amountOf(drops: Drops): string {
  if ('bytes' in drops) return `${sizeText(drops.bytes)} of log, of which no rows are counted`
  const { rows, transactions, more } = drops
  const count = (number: number, what: string) => `${number.toLocaleString('en-US')} ${what}${number === 1 ? '' : 's'}`
  if (rows !== null) return rows === 0 ? 'no row' : `${count(rows, 'row')} written since`
  return `${more ? 'at least ' : ''}${count(transactions, 'transaction')}, of which the rows could not be counted in time`
}

/** By the server's own clock. */
function sinceText(target: Target, now: number | null): string {
  if (target.type !== 'time' || now === null) return ''
  const seconds = Math.round((now - Date.parse(target.value)) / 1000)
  if (!(seconds > 0)) return ''
  const length =
    seconds < 120
      ? `${seconds} s`
      : seconds < 7200
        ? `${Math.round(seconds / 60)} min`
        : `${Math.round(seconds / 3600)} h`
  return `, by ${length}`
}

/** All servers have the same users: those of the first one speak for all. */
function userTexts(nodes: readonly NodeResources[], context: DatabaseContext): string[] {
  for (const { instance_id: id, instance } of nodes.flatMap(({ instances }) => instances ?? [])) {
    const stood = context.actual('database.instance', id)
    if (!stood) continue
    const before = new Map(InstanceAttributes.parse(stood.attributes).users.map((user) => [user.username, user]))
    return InstanceAttributes.parse(instance.attributes).users.flatMap((user) => {
      const was = before.get(user.username)
      if (!was) return [`user ${user.username} comes`]
      const password = was.verifier === user.verifier || user.verifier === ''
      const attributes = canonical(was.attributes) === canonical(user.attributes)
      return [
        ...(password ? [] : [`the password of ${user.username} changes: sessions stay, new ones need it`]),
        ...(attributes ? [] : [`${user.username} has ${user.attributes.join(', ') || 'no attributes'} from now on`]),
      ]
    })
  }
  return []
}

/** All servers are to have the same; those that come now are not told of. */
function tlsTexts(nodes: readonly NodeResources[], context: DatabaseContext): string[] {
  return nodes.flatMap(({ instances }) =>
    (instances ?? []).flatMap(({ instance_id: id, instance }): string[] => {
      const stood = context.actual('database.instance', id)
      if (!stood) return []
      const [before, after] = [stood, instance].map(({ attributes }) => InstanceAttributes.parse(attributes).tls?.mode)
      if (before === after) return []
      if (after === undefined) return ['TLS goes: sessions stay, and clients that ask for it are refused from then on']
      if (after === 'required') return ['clients that come without TLS are refused from then on: sessions stay']
      const comes = 'clients may come with TLS'
      return [before === undefined ? `${comes}: nothing is interrupted` : `${comes}, and without it again`]
    }),
  )
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
