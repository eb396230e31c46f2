import { InstanceAttributes } from '../inputs.ts'
import type { ResourceData } from '../plan/operations/operations.ts'
import type { Server } from './servers.ts'

/** Servers that were recorded, and those that take writes. */
export interface Found {
  primaries: ReadonlyMap<string, Server>
  instances: readonly ResourceData[]
}

/** The server of a node that takes writes; undefined where there is none. */
export function addressOf({ instances, primaries }: Found, node: string): InstanceAttributes | undefined {
  const primary = instances.find(({ identifier }) => identifier.id === primaries.get(node)?.instance)
  return primary && InstanceAttributes.parse(primary.attributes)
}
