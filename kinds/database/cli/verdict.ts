import { bytesText } from '../../../cli/sdk.ts'
import { isDue } from '../../../shared/certificates/renewal.ts'
import type { Database, Server } from './databases.ts'

/** Why a database is not as it should be, and what to do about it. */
export interface Cause {
  what: string
  /** A command line, or a sentence where none is enough; null: nothing has to be done. */
  next: string | null
  /** Nothing has failed yet. */
  warning: boolean
}

type Node = Database['nodes'][number]

/** Below this share of a disk a person should hear of it. */
const scarce = 0.1
/** So much of a log that is kept for one reader is worth a word. */
const muchKept = 2 ** 30

/** What is wrong, the worst first; nothing where all is well. Pure. */
export function causesOf({ name, nodes, lock }: Pick<Database, 'name' | 'nodes' | 'lock'>): Cause[] {
  // What a plan has in hand is on its way: what the deploy mends is not asked for a second time.
  const deploy = lock === null ? `remodel deploy FILE, with the document of ${name}` : null
  const headless = nodes.filter((node) => node.primary === null && !isBeingAdded(node))
  return [
    ...nodes.flatMap((node) => closedNode(node, deploy)),
    ...headless.map((node) => withoutPrimary(name, node, deploy)),
    ...nodes.filter(({ primary }) => primary !== null).flatMap((node) => brokenServers(name, node, deploy)),
    ...nodes.flatMap(({ instances }) => instances.flatMap(({ database }) => database.stopped.map(stoppedLink))),
    ...nodes.flatMap((node) => writesThatWait(node)),
    ...nodes.flatMap(({ node, instances }) => readersAway(node, instances)),
    ...nodes.flatMap(({ instances }) => instances.flatMap((server) => scarceDisk(server))),
    ...endingCertificates(nodes, deploy),
  ]
}

/** No server of it has ever let a client in: it may take no writes yet, which is as it should be. */
function isBeingAdded({ instances }: Node): boolean {
  return instances.every(({ database }) => database.closed === 'added')
}

/** Clients that are refused are told no more than that. */
function closedNode(node: Node, deploy: string | null): Cause[] {
  if (isBeingAdded(node)) {
    const until = 'closed to clients until every other node gets what is written to it'
    return [failure(`${node.node} is being added: ${until}`, deploy)]
  }
  const closed = node.instances.filter(({ database }) => database.closed !== '').map(({ instance }) => instance)
  return closed.length === 0 ? [] : [failure(`${closed.join(', ')} of ${node.node} let no client in`, deploy)]
}

/** One that has most of the log of those that answer is to take over. */
function withoutPrimary(name: string, { node, instances }: Node, deploy: string | null): Cause {
  const silent = instances.filter(({ database }) => database.role === null)
  const why = silent.map((server) => `${server.instance} is ${stateText(server)}`).join(', ')
  const [ready] = instances
    .filter(({ database }) => database.role === 'replica')
    .toSorted((a, b) => (b.database.receivedBytes ?? 0) - (a.database.receivedBytes ?? 0))
  const what = `${node} takes no writes: ${why || 'all its servers are replicas'}`
  if (ready)
    return failure(
      `${what}; ${ready.instance} has most of the log of those that answer`,
      `remodel promote ${name} ${ready.instance}`,
    )
  const [stopped] = silent.filter(({ state }) => state === 'failing')
  return failure(what, stopped ? `remodel logs ${name} ${stopped.instance}` : deploy)
}

function brokenServers(name: string, { instances }: Node, deploy: string | null): Cause[] {
  return instances
    .filter(({ state }) => state !== 'running')
    .map((server) => {
      const { instance, state, database } = server
      if (database.role === 'replica') return failure(`${instance} follows no other server`, deploy)
      return failure(
        `${instance} is ${stateText(server)}`,
        state === 'failing' ? `remodel logs ${name} ${instance}` : deploy,
      )
    })
}

function stateText({ state, database: { host } }: Server): string {
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

/** A person decides which row stays, so each way is said with what it does. */
function stoppedLink({ from, to, why, repair }: Server['database']['stopped'][number]): Cause {
  const ways = repair.map(({ statement, meaning }) => `${statement}; (${meaning})`).join(' or ')
  return failure(`${to} gets nothing of what ${from} writes: ${why}`, ways === '' ? null : `run on ${to}: ${ways}`)
}

function writesThatWait({ node, instances }: Node): Cause[] {
  const waiting = instances.reduce((sum, { database }) => sum + (database.waitingCommits ?? 0), 0)
  const replicas = instances.filter(({ database, state }) => database.role === 'replica' && state === 'running')
  if (waiting === 0 || replicas.length > 0) return []
  return [failure(`writes on ${node} wait: no replica is there to confirm them (${waiting} sessions)`, null)]
}

function readersAway(node: string, instances: readonly Server[]): Cause[] {
  return instances.flatMap(({ database }) =>
    database.slots.flatMap(({ reader, connected, keptBytes }) => {
      if (connected || keptBytes < muchKept || database.role !== 'primary' || reader === 'the archive') return []
      return [warning(`${node} keeps ${bytesText(keptBytes)} of its log for ${reader}, which does not read it`)]
    }),
  )
}

function scarceDisk({ instance, database: { disk } }: Server): Cause[] {
  if (disk === null || disk.freeBytes >= scarce * disk.totalBytes) return []
  return [warning(`the disk of ${instance} has ${bytesText(disk.freeBytes)} of ${bytesText(disk.totalBytes)} left`)]
}

/** One that has ended keeps every client away that checks it. */
function endingCertificates(nodes: readonly Node[], next: string | null): Cause[] {
  const now = Date.now()
  return nodes.flatMap(({ instances }) =>
    instances.flatMap(({ instance, database: { tls } }) => {
      if (!tls || tls.begins === null || tls.ends === null || !isDue(tls.begins, tls.ends, now)) return []
      const day = new Date(tls.ends).toISOString().slice(0, 10)
      const what = `the certificate of ${instance} ${now > tls.ends ? 'ended' : 'ends'} on ${day}`
      return [now > tls.ends ? failure(what, next) : { ...warning(`${what}: the next deploy renews it`), next }]
    }),
  )
}

const failure = (what: string, next: string | null): Cause => ({ what, next, warning: false })
const warning = (what: string): Cause => ({ what, next: null, warning: true })
