import { createConnection } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis'
import { z } from 'zod'
import { pause } from '../timer.ts'

/** How long a node may take to say which node has a slot. */
const askMs = 2000

export interface Node {
  host: string
  port: number
}

/** A Redis Cluster as REDIS_URL names it: some of its nodes, and what it takes to get in. */
export interface ClusterAddress {
  nodes: readonly Node[]
  access: Pick<RedisOptions, 'username' | 'password' | 'tls'>
}

/** Answers to CLUSTER SLOTS: first and last slot, then its nodes, the primary first. */
const Slots = z.array(z.tuple([z.int(), z.int()], z.tuple([z.string().nullable(), z.int()], z.unknown())))
type Range = z.output<typeof Slots>[number]

/**
 * A connection to the node of a Redis Cluster that has the slot of `key`, and to the next one when that changes.
 *
 * All keys of an installation share one hash tag, so they lie in one slot, and one node has all of them: scripts,
 * pipelines, the clock and the settings are of that node, as with a single server. Whenever the connection is
 * made, some node of the cluster is asked which one has the slot. Where a command is answered by an error that
 * says that the slot is elsewhere or is being moved, the connection is made anew and the command sent again; such
 * a command was not carried out.
 */
export function clusterOptions(address: ClusterAddress, key: string): Omit<RedisOptions, 'replyMapping'> {
  let known = address.nodes
  class OwnerConnector extends AbstractConnector {
    readonly #retry: RedisOptions['retryStrategy']

    constructor(options: unknown) {
      super(askMs)
      this.#retry = (options as RedisOptions).retryStrategy
    }

    async connect() {
      this.connecting = true
      const { owner, nodes } = await this.#find()
      known = uniqueNodes([...nodes, ...address.nodes])
      if (!this.connecting) throw new Error('the connection was closed while it was made')
      const { tls } = address.access
      const stream = tls ? connectTls({ ...owner, ...tls }) : createConnection(owner)
      this.stream = stream
      stream.once('error', (error) => {
        this.firstError = error
      })
      return stream
    }

    /** Asks until a node answers: where `connect` throws, ioredis gives the connection up for good. */
    async #find() {
      for (let attempt = 1; ; attempt++) {
        try {
          return await ownerOf(known, address.access, key)
        } catch (error) {
          const delay = this.#retry?.(attempt)
          if (!this.connecting || typeof delay !== 'number') throw error
          await pause(delay)
        }
      }
    }
  }
  return {
    ...address.access,
    Connector: OwnerConnector,
    reconnectOnError: (error) => (isElsewhere(error) ? 2 : false),
  }
}

/** Whether a command was refused because this node does not, or not now, serve its slot. */
function isElsewhere(error: Error): boolean {
  return /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|READONLY|UNBLOCKED|MASTERDOWN)\b/.test(error.message)
}

/**
 * Asks one node after the other which one has the slot; answers it with all nodes of the cluster, the
 * one that answered first.
 */
async function ownerOf(
  known: readonly Node[],
  access: ClusterAddress['access'],
  key: string,
): Promise<{ owner: Node; nodes: readonly Node[] }> {
  let cause: unknown
  for (const node of known) {
    try {
      const { owner, nodes } = await ask(node, access, key)
      if (owner) return { owner, nodes: [node, ...nodes] }
    } catch (error) {
      cause = error
    }
  }
  throw new Error('no node of the cluster says which one has the keys', { cause })
}

async function ask(
  node: Node,
  access: ClusterAddress['access'],
  key: string,
): Promise<{ owner: Node | undefined; nodes: Node[] }> {
  const redis = new Redis({
    ...node,
    ...access,
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: askMs,
    commandTimeout: askMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  redis.on('error', () => {})
  try {
    await redis.connect()
    const slot = await redis.cluster('KEYSLOT', key)
    const ranges = Slots.parse(await redis.cluster('SLOTS'))
    // A node that knows no name of its own is the one that was asked.
    const nodesOf = ([, , ...nodes]: Range) => nodes.map(([host, port]) => ({ host: host || node.host, port }))
    const range = ranges.find(([first, last]) => first <= slot && slot <= last)
    return { owner: range && nodesOf(range)[0], nodes: ranges.flatMap(nodesOf) }
  } catch (error) {
    // Not a node of a cluster: it is connected to, and refused by its settings (rules.ts) with a sentence for people.
    if (error instanceof Error && error.message.includes('cluster support disabled')) return { owner: node, nodes: [] }
    throw error
  } finally {
    redis.disconnect()
  }
}

function uniqueNodes(nodes: readonly Node[]): Node[] {
  return [...new Map(nodes.map((node) => [`${node.host}:${node.port}`, node])).values()]
}
