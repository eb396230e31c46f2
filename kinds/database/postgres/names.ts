import { createHash } from 'node:crypto'

/**
 * The role that Remodel works as, on every server: root of the server's own machine may be it, and no
 * client of the network.
 */
export const adminRole = 'remodel'
/** The role that servers follow each other as. */
export const replicationRole = 'remodel_replication'
/** The publication of every node: all tables. */
export const publication = 'remodel'

/** The physical slot by which every archived server keeps its log until it is in the archive. */
export const archiveSlot = 'remodel_archive'

/** Longest identifier of PostgreSQL. */
const longest = 63

function identifier(text: string): string {
  const clean = text.toLowerCase().replace(/[^a-z0-9_]/g, '_')
  if (clean.length <= longest) return clean
  return `${clean.slice(0, longest - 9)}_${createHash('sha256').update(text).digest('hex').slice(0, 8)}`
}

/** Subscription on `subscriber`, and the slot on `provider` that it reads: one name for both. */
export function linkName(provider: string, subscriber: string): string {
  return identifier(`remodel_${provider}_${subscriber}`)
}

/** A link's name: provider and subscriber. */
export const linkPattern = /^remodel_(n\d+)_(n\d+)$/

/** The physical slot that holds WAL for an instance on its primary. */
export function instanceSlot(instance: string): string {
  return identifier(`instance_${instance}`)
}

/** Keeps, on a node that was copied, how far the source had come with what `provider` writes. */
export function positionOrigin(provider: string): string {
  return identifier(`remodel_position_${provider}`)
}

/** Keeps, on a node whose subscription was dropped, how far it had come with one line of what `provider` writes. */
export function placeOrigin(provider: string, line: string): string {
  return `${placesOf(provider)}${line}`
}

/** What the names of all places in what `provider` writes begin with. */
export const placesOf = (provider: string) => `remodel_place_${provider}_`

/**
 * A sequence that holds the highest fence shown for a scope: not replicated between nodes, but to a node's replicas.
 */
export function fenceSequence(scope: string): string {
  return `fence_${createHash('sha256').update(scope).digest('hex').slice(0, 24)}`
}
