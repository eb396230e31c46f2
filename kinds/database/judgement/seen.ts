import type { DatabaseServer, StoppedLink } from '../api/server.ts'
import { isFullDisk } from '../postgres/full-disk.ts'
import type { Finding } from './finding.ts'

/**
 * One server as it was seen: by the planner's inspector, or by the server's own description, which the command reads. A
 * field that only one of the two looks at may be absent; nothing follows from an absent field.
 */
export interface ServerSeen extends Partial<Pick<DatabaseServer, 'waitingCommits' | 'slots' | 'peers' | 'disk'>> {
  instance: string
  node: string
  host: string
  /**
   * `running`; `failing`: its process does not run, or it is a replica that follows no server; `unresponsive`;
   * `missing`.
   */
  state: string
  role: 'primary' | 'replica' | null
  /** How much of the log it has. */
  receivedBytes: number | null
  /** Why it lets no client in (`DatabaseServer.closed`). */
  closed: string
  /** When its certificate begins and ends. */
  certificate?: { begins: number; ends: number } | null
}

/** A database as it was seen. */
export interface Seen {
  deployment: string
  servers: readonly ServerSeen[]
  /** Links that carry nothing. */
  stopped: readonly StoppedLink[]
  /** What else is not as it was recorded; only a look at every material tells that. */
  amiss?: readonly Finding[]
}

/** The servers of one node. */
export interface NodeSeen {
  node: string
  servers: readonly ServerSeen[]
}

/** Nodes in the order of their numbers, their servers by name. */
export function nodesOf(servers: readonly ServerSeen[]): NodeSeen[] {
  return [...Map.groupBy(servers, ({ node }) => node)]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([node, own]) => ({ node, servers: own.toSorted((a, b) => (a.instance < b.instance ? -1 : 1)) }))
}

export const isFull = ({ disk }: ServerSeen) => isFullDisk(disk)

export const takesWrites = ({ servers }: NodeSeen) => servers.some(({ role }) => role === 'primary')

/** No server of it has ever let a client in: it may take no writes yet, which is as it should be. */
export const isBeingAdded = ({ servers }: NodeSeen) => servers.every(({ closed }) => closed === 'added')
