import { connectionUri, type Database, type Server } from '../databases.ts'
import { bytesText } from './bytes.ts'
import { statePainted } from './state.ts'
import type { Style } from './style.ts'
import { count, table } from './table.ts'
import { ago, dateTime, duration } from './time.ts'

export function databasesTable(list: readonly Database[], style: Style): string[] {
  const headings = ['Name', 'Nodes', 'Instances', 'State', 'Primaries', 'Last deploy', 'When']
  const rows = list.map((one) => [
    one.name,
    String(one.nodes.length),
    String(one.nodes.reduce((sum, { instances }) => sum + instances.length, 0)),
    statePainted(one.state, style),
    one.nodes.map(({ node, primary }) => `${node} on ${primary ?? '-'}`).join(', ') || '-',
    deployText(one, style),
    one.lastPlan && one.lastPlan.state !== 'stored'
      ? ago(one.lastPlan.finishedAt ?? one.lastPlan.startedAt ?? one.lastPlan.createdAt)
      : '-',
  ])
  return table(style, headings, rows)
}

export function databaseLines(one: Database, style: Style): string[] {
  const instances = one.nodes.flatMap((node) => node.instances)
  const what = `${count(one.nodes.length, 'node')}, ${count(instances.length, 'instance')}`
  const headings = ['Node', 'Instance', 'Host', 'Address', 'Role', 'State', 'Received', 'Behind', 'Readers are behind']
  return [
    `${style.bold(one.name)}: ${statePainted(one.state, style)}, ${what}; last deploy ${deployText(one, style)}`,
    ...(instances.length === 0
      ? []
      : [
          '',
          ...table(
            style,
            headings,
            instances.map((server) => row(server, style)),
          ),
        ]),
    ...(instances.length === 0 ? [] : ['', ...connectionLines(one)]),
    ...archiveLines(one, style),
    ...keptLines(one, style),
  ]
}

/** Up to when each node is archived. A node that nobody writes to may be archived up to long ago: it has nothing to add. */
function archiveLines({ nodes }: Database, style: Style): string[] {
  const archived = nodes.filter(({ archive }) => archive !== null)
  if (archived.length === 0) return []
  const lines = archived.map(({ node, archive }) => {
    const { archivedAt, late } = archive!
    const until =
      archivedAt === null ? 'not archived yet' : `last archived at ${dateTime(archivedAt)}, ${ago(archivedAt)}`
    if (!late) return `${node}: ${until}`
    return style.yellow(
      `${node}: ${until}. Warning: it has written more since, which is not archived. Do assemblers run, and is the blobstore there?`,
    )
  })
  return lines
}

/** A person decides what becomes of it, so all that is needed to get at it is said. */
function keptLines({ name, nodes }: Database, style: Style): string[] {
  const lines = nodes.flatMap(({ instances }) =>
    instances.flatMap(({ instance, vm, database: { host, kept } }) =>
      kept.map((path) =>
        style.yellow(
          `${instance} keeps data that the primary of its node did not have: ${path} on host ${host}, machine ${vm}. ` +
            `To remove it: remodel exec ${name} ${instance} -- rm -r ${path}`,
        ),
      ),
    ),
  )
  return lines.length === 0 ? [] : ['', ...lines]
}

function row({ instance, addresses, state, database }: Server, style: Style): string[] {
  const { node, host, role, receivedBytes, lagBytes, peers } = database
  return [
    node,
    instance,
    host,
    addresses.join(', '),
    role ?? '-',
    statePainted(state, style),
    receivedBytes === null ? '-' : bytesText(receivedBytes),
    lagBytes === null ? '-' : bytesText(lagBytes),
    peers.map(peerText).join(', ') || '-',
  ]
}

function peerText({ node, connected, lagBytes, lagSeconds }: Server['database']['peers'][number]): string {
  const time = lagSeconds === null ? 'for an unknown time' : duration(lagSeconds * 1000)
  return `${node} ${bytesText(lagBytes)}, ${connected ? time : 'not connected'}`
}

/** Where clients connect, and when each node was last backed up. */
function connectionLines(one: Database): string[] {
  return one.nodes.flatMap(({ node, lastBackupAt, archive }) => {
    const uri = connectionUri(one, node)
    const backup =
      lastBackupAt === null ? 'no backup yet' : `last backup at ${dateTime(lastBackupAt)}, ${ago(lastBackupAt)}`
    return [...(uri ? [`${node}: ${uri}`] : []), ...(archive === null ? [] : [`${node}: ${backup}`])]
  })
}

function deployText({ lastPlan, progress }: Database, style: Style): string {
  if (!lastPlan || lastPlan.state === 'stored') return '-'
  const where = progress ? `: plan ${progress.plan} of ${progress.of}: ${progress.name}` : ''
  return `${lastPlan.id} ${statePainted(lastPlan.state, style)}${where}`
}
