import { linkName, linkPattern } from '../../../../../shared/postgres/names.ts'
import { replicationSlot, siteOf, subscription } from '../operations/catalogue.ts'
import type { ResourceData } from '../operations/operations.ts'
import type { Server } from './servers.ts'

/** A resource as it is found: gone, broken, or as recorded. Nothing is concluded of a node whose primary is silent. */
export function linkAsFound(resource: ResourceData, primaries: ReadonlyMap<string, Server>): ResourceData {
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
  if (found.missingTables > 0) {
    const many = found.missingTables > 1
    return { ...resource, error: `${found.missingTables} table${many ? 's are' : ' is'} not replicated yet` }
  }
  return resource
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
  for (const [node, { slots, subscriptions }] of primaries) {
    for (const slot of slots) {
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
