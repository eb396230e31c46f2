import type { StoppedLink } from '../api/server.ts'
import { type Finding, failure } from './finding.ts'
import { isBeingAdded, isFull, type NodeSeen, nodesOf, type Seen, type ServerSeen, takesWrites } from './seen.ts'
import { warningsOf } from './warnings.ts'

/** What is to be said of a database. */
export interface Judgement {
  /**
   * `running`; `degraded`: a node does not get what another one writes; `failing`: a server does not run; `down`: a
   * node takes no writes; `empty`: there is no server yet.
   */
  state: 'running' | 'degraded' | 'failing' | 'down' | 'empty'
  /** Why it is not as it should be, the worst first; nothing where all is well. */
  findings: Finding[]
}

/** What is known beside what was seen. */
export interface Circumstances {
  /** A plan is being carried out: what it has in hand is on its way, so no deploy is asked for. */
  underway: boolean
  /** Milliseconds since the epoch; absent: nothing is said of what comes with time. */
  now?: number
}

/** Where a command of a finding points to. */
interface Ways {
  deployment: string
  deploy: string | null
}

/**
 * The one judgement of a database. The planner applies it to what its inspector has seen, the command to what servers
 * say of themselves: the same facts give the same answer. Pure.
 */
export function judge({ deployment, servers, amiss = [], ...seen }: Seen, circumstances: Circumstances): Judgement {
  const nodes = nodesOf(servers)
  // Two servers of a node that both take writes each tell of the same link.
  const stopped = [...new Map(seen.stopped.map((link) => [`${link.from}:${link.to}`, link])).values()]
  const ways = {
    deployment,
    deploy: circumstances.underway ? null : `remodel deploy FILE, with the document of ${deployment}`,
  }
  const headless = nodes.filter((node) => !takesWrites(node) && !isBeingAdded(node))
  const findings = [
    ...nodes.flatMap((node) => closedNode(node, ways)),
    ...headless.map((node) => withoutPrimary(node, ways)),
    ...nodes.filter(takesWrites).flatMap((node) => node.servers.flatMap((server) => brokenServer(server, ways))),
    ...stopped.map(stoppedLink),
    ...nodes.flatMap(waitingWrites),
    ...amiss,
    ...warningsOf(nodes, { stopped, deploy: ways.deploy, now: circumstances.now }),
  ]
  return { state: stateOf(nodes, stopped), findings }
}

function stateOf(nodes: readonly NodeSeen[], stopped: readonly StoppedLink[]): Judgement['state'] {
  if (nodes.length === 0) return 'empty'
  if (!nodes.every(takesWrites)) return 'down'
  if (nodes.some(({ servers }) => servers.some(({ state }) => state !== 'running'))) return 'failing'
  return stopped.length > 0 ? 'degraded' : 'running'
}

/** A client that is refused learns nothing more from the server. */
function closedNode(node: NodeSeen, { deploy }: Ways): Finding[] {
  if (isBeingAdded(node)) {
    const until = 'closed to clients until every other node gets what is written to it'
    return [failure(`node/${node.node}`, `is being added: ${until}`, deploy)]
  }
  const closed = node.servers.filter((server) => server.closed !== '').map(({ instance }) => instance)
  return closed.length === 0 ? [] : [failure(`node/${node.node}`, `lets no client in on ${closed.join(', ')}`, deploy)]
}

/** Of the servers that answer, the one that has most of the log is to take over. */
function withoutPrimary({ node, servers }: NodeSeen, { deployment, deploy }: Ways): Finding {
  const silent = servers.filter(({ role }) => role === null)
  const why = silent.map((server) => `${server.instance} is ${stateText(server)}`).join(', ')
  const what = `takes no writes: ${why || 'all its servers are replicas'}`
  const [ready] = servers
    .filter(({ role }) => role === 'replica')
    .toSorted((a, b) => (b.receivedBytes ?? 0) - (a.receivedBytes ?? 0))
  if (ready)
    return failure(
      `node/${node}`,
      `${what}; ${ready.instance} has most of the log of those that answer`,
      `remodel promote ${deployment} ${ready.instance}`,
    )
  const [stopped] = silent.filter(({ state }) => state === 'failing')
  return failure(`node/${node}`, what, stopped ? `remodel logs ${deployment} ${stopped.instance}` : deploy)
}

/** A server of a node that takes writes. */
function brokenServer(server: ServerSeen, { deployment, deploy }: Ways): Finding[] {
  const { instance, state, role } = server
  if (state === 'running') return isFull(server) ? [fullDisk(server)] : []
  if (role === 'replica') return [failure(`instance/${instance}`, 'follows no other server', deploy)]
  const next = state === 'failing' ? `remodel logs ${deployment} ${instance}` : deploy
  return [failure(`instance/${instance}`, `is ${stateText(server)}`, next)]
}

const fullDisk = ({ instance, host }: ServerSeen) =>
  failure(`instance/${instance}`, 'can write no more: its disk is full', `make room on host ${host}`)

function stateText(server: ServerSeen): string {
  const { state, host } = server
  if (isFull(server) && (state === 'failing' || state === 'unresponsive')) {
    return `${state}: the disk of host ${host} is full`
  }
  switch (state) {
    case 'missing':
      return `missing: its machine on host ${host} is gone`
    case 'unresponsive':
      return `unresponsive: its machine on host ${host} or the server on it does not answer`
    case 'failing':
      return `failing: its server on host ${host} does not run`
    default:
      return state
  }
}

/** A person decides which row stays, so each way is given with what it does. */
function stoppedLink({ from, to, why, repair }: StoppedLink): Finding {
  const ways = repair.map(({ statement, meaning }) => `${statement}; (${meaning})`).join(' or ')
  return failure(
    `node/${to}`,
    `gets nothing of what ${from} writes: ${why}`,
    ways === '' ? null : `run on ${to}: ${ways}`,
  )
}

function waitingWrites({ node, servers }: NodeSeen): Finding[] {
  const waiting = servers.reduce((sum, { waitingCommits }) => sum + (waitingCommits ?? 0), 0)
  const replicas = servers.filter(({ role, state }) => role === 'replica' && state === 'running')
  if (waiting === 0 || replicas.length > 0) return []
  return [
    failure(`node/${node}`, `has writes that wait: no replica is there to confirm them (${waiting} sessions)`, null),
  ]
}
