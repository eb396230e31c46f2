import { replicationSlot, siteOf, subscription } from '../plan/operations/catalogue.ts'
import type { ResourceData } from '../plan/operations/operations.ts'
import { linkName, linkPattern } from '../postgres/names.ts'
import type { Server } from './servers.ts'

/**
 * A resource as it is found: gone, broken, or as recorded. Nothing is concluded of a node whose primary is silent.
 * `servers`: node -> where each of its servers is.
 */
export function linkAsFound(
  resource: ResourceData,
  primaries: ReadonlyMap<string, Server>,
  servers: ReadonlyMap<string, readonly string[]>,
): ResourceData {
  const { provider_node, subscriber_node } = resource.attributes
  const [provider, subscriber] = [String(provider_node), String(subscriber_node)]
  const name = linkName(provider, subscriber)
  if (resource.identifier.type === 'database.replication_slot') {
    const at = primaries.get(provider)
    return at && !at.slots.includes(name) ? { ...resource, needs_recreate: true } : resource
  }
  const at = primaries.get(subscriber)
  if (!at) return resource
  const found = at.subscriptions.find((one) => one.name === name)
  if (!found) return resource.attributes.disabled === true ? resource : { ...resource, needs_recreate: true }
  if (resource.attributes.disabled === true) return resource
  if (!found.enabled) return { ...resource, error: 'the subscription is disabled' }
  if (found.asAdmin) return { ...resource, error: 'it comes in as the admin role, which is let in no more' }
  if (!found.asMade) return { ...resource, error: 'the subscription does not read what it was made to read' }
  const unknown = (servers.get(provider) ?? []).filter((server) => !found.servers.includes(server))
  if (unknown.length > 0) return { ...resource, error: `the subscription does not know of ${unknown.join(', ')}` }
  const from = primaries.get(provider)
  if (from?.tls === true && !found.checks)
    return { ...resource, error: `the subscription does not check the certificate of ${provider}` }
  if (from?.tls === false && found.checks)
    return { ...resource, error: `the subscription asks for TLS, which ${provider} does not take` }
  if (found.missingTables > 0) {
    const many = found.missingTables > 1
    return { ...resource, error: `${found.missingTables} table${many ? 's are' : ' is'} not replicated yet` }
  }
  return resource
}

/**
 * Why a slot is lost that was read from, and how much of its provider's log the subscriber has not got: a new slot
 * would begin behind that. Nothing where it is there, or was never read from. `read`: the links that are recorded to
 * have been read by; a subscription may be gone with its slot.
 */
export function lostSlot(
  { identifier, attributes }: ResourceData,
  primaries: ReadonlyMap<string, Server>,
  read: ReadonlySet<string>,
): { lost: string; missed: number | null } | Record<string, never> {
  if (identifier.type !== 'database.replication_slot') return {}
  const name = linkName(String(attributes.provider_node), String(attributes.subscriber_node))
  const provider = primaries.get(String(attributes.provider_node))
  const subscriber = primaries.get(String(attributes.subscriber_node))
  if (!provider || !subscriber || provider.slots.includes(name)) return {}
  const reader = subscriber.subscriptions.find((one) => one.name === name)
  if (!reader && !read.has(identifier.id)) return {}
  const why = provider.invalid.get(name)
  return {
    lost: why === undefined ? 'it is gone' : `it was ended by the server: ${why.replaceAll('_', ' ')}`,
    missed: reader?.received == null ? null : Math.max(0, provider.position.lsn - reader.received),
  }
}

/**
 * Slots and subscriptions that stand but are in no record: made by a step that was cut off before it could say so. They
 * are to be created again, which finds them, or taken away.
 */
export function strayLinks(
  primaries: ReadonlyMap<string, Server>,
  database: string,
  known: ReadonlySet<string>,
): ResourceData[] {
  const found: ResourceData[] = []
  const add = (resource: ResourceData) => {
    if (!known.has(`${resource.identifier.type}::${resource.identifier.id}`)) {
      found.push({ ...resource, needs_recreate: true })
    }
  }
  for (const [node, { slots, invalid, subscriptions }] of primaries) {
    for (const slot of [...slots, ...invalid.keys()]) {
      const [, provider, subscriber] = linkPattern.exec(slot) ?? []
      if (provider === node) add(replicationSlot(siteOf(provider, database), siteOf(subscriber!, database)))
    }
    for (const { name } of subscriptions) {
      const [, provider, subscriber] = linkPattern.exec(name) ?? []
      if (subscriber === node) add(subscription(siteOf(provider!, database), siteOf(subscriber, database)))
    }
  }
  return found
}
