import {
  ago,
  bytesText,
  count,
  dateTime,
  duration,
  elapsed,
  plain,
  type Style,
  statePainted,
  table,
} from '../../../../cli/sdk.ts'
import { authorityFile, connectionUri, type Database, type Server } from '../databases.ts'
import type { Cause } from '../verdict.ts'

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
  const causes = list.flatMap(({ name, causes: [first] }) =>
    first && !first.warning ? [`${name}: ${first.what}`] : [],
  )
  return [
    ...table(style, headings, rows),
    ...(causes.length === 0 ? [] : ['', ...causes.map((line) => style.red(line))]),
  ]
}

export function databaseLines(one: Database, style: Style): string[] {
  const instances = one.nodes.flatMap((node) => node.instances)
  const parts = [
    count(one.nodes.length, 'node'),
    count(instances.length, 'instance'),
    ...(one.versions.length === 0 ? [] : [`PostgreSQL ${one.versions.join(' and ')}`]),
  ]
  const headings = [
    'Node',
    'Instance',
    'Host',
    'Address',
    'Role',
    'State',
    'Behind',
    'Readers are behind',
    'Disk left',
    'Up',
  ]
  return [
    verdictLine(one, style),
    ...one.causes.flatMap((cause) => causeLines(cause, style)),
    `${parts.join(', ')}; last deploy ${deployText(one, style)}`,
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

/** `shop: down` */
export function verdictLine({ name, state }: Pick<Database, 'name' | 'state'>, style: Style): string {
  return `${style.bold(name)}: ${statePainted(state, style)}`
}

export function causeLines({ what, next, warning }: Cause, style: Style): string[] {
  const mark = warning ? style.yellow('!') : style.red('✗')
  return [`  ${mark} ${plain(what)}`, ...(next === null ? [] : [`      next: ${plain(next)}`])]
}

/**
 * Up to when each node is archived. An idle node may be archived up to long ago: it has nothing to add.
 */
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

function row({ instance, addresses, state, processes, database }: Server, style: Style): string[] {
  const { node, host, role, lagBytes, peers, disk, startedAt } = database
  const restarts = processes.reduce((sum, one) => sum + one.restarts, 0)
  const up = startedAt === null ? '-' : elapsed(Date.now() - startedAt)
  return [
    node,
    instance,
    host,
    addresses.join(', '),
    role ?? '-',
    statePainted(state, style),
    lagBytes === null ? '-' : bytesText(lagBytes),
    peers.map(peerText).join(', ') || '-',
    disk === null ? '-' : `${bytesText(disk.freeBytes)} of ${bytesText(disk.totalBytes)}`,
    restarts === 0 ? up : `${up}, ${count(restarts, 'restart')}`,
  ]
}

function peerText({ node, connected, lagBytes, lagSeconds }: Server['database']['peers'][number]): string {
  const time = lagSeconds === null ? 'for an unknown time' : duration(lagSeconds * 1000)
  return `${node} ${bytesText(lagBytes)}, ${connected ? time : 'not connected'}`
}

/** Where clients connect, and when each node was last backed up. */
function connectionLines(one: Database): string[] {
  const lines = one.nodes.flatMap(({ node, lastBackupAt, archive }) => {
    const uri = connectionUri(one, node)
    const backup =
      lastBackupAt === null ? 'no backup yet' : `last backup at ${dateTime(lastBackupAt)}, ${ago(lastBackupAt)}`
    return [...(uri ? [`${node}: ${uri}`] : []), ...(archive === null ? [] : [`${node}: ${backup}`])]
  })
  return [...lines, ...tlsLines(one)]
}

/** What clients need so that they know the server that they talk to. */
function tlsLines(one: Database): string[] {
  const servers = one.nodes.flatMap(({ instances }) => instances)
  const modes = [...new Set(servers.flatMap(({ database: { tls } }) => tls?.mode ?? []))]
  if (modes.length === 0) return []
  const how = modes.includes('required') ? 'clients come with TLS alone' : 'clients may come with or without TLS'
  const file = authorityFile(one)
  return [`TLS: ${how}; the CA's certificate: remodel database-ca ${one.name} > ${file}`]
}

function deployText({ lastPlan, progress }: Database, style: Style): string {
  if (!lastPlan || lastPlan.state === 'stored') return '-'
  const where = progress ? `: plan ${progress.plan} of ${progress.of}: ${progress.name}` : ''
  return `${lastPlan.id} ${statePainted(lastPlan.state, style)}${where}`
}
