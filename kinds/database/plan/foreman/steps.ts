import { HostAttributes, InstanceAttributes, type StepName } from '../../inputs.ts'
import { materialId } from '../names.ts'
import type { Event, Phase, ResourceData } from '../operations/operations.ts'
import type { DatabaseContext } from './database-context.ts'

interface Work {
  step: StepName
  input: object
}

/** The step that carries an event of a phase out, with what it is given. */
export function workOf(event: Event, context: DatabaseContext, phase: Phase): Work {
  const { step, input } = event.type === 'delete' ? removal(event, context) : setting(event, context, phase)
  const { deployment } = context
  return { step, input: { event: event.type, resource: event.resource, deployment, ...input } }
}

function setting({ resource }: Event, context: DatabaseContext, phase: Phase): Work {
  const { type, id } = resource.identifier
  const { attributes } = resource
  switch (type) {
    case 'host':
      return { step: 'create-host', input: { host: HostAttributes.parse(attributes), silent: context.isSilent(id) } }
    case 'database.instance': {
      const instance = InstanceAttributes.parse(attributes)
      const { role, source } = context.roleOf(id, instance.node)
      const members = context.membersOf(instance.node)
      const others = members.filter((member) => member.instance !== id)
      return {
        step: 'set-up-instance',
        input: {
          instance,
          member: members.find((member) => member.instance === id),
          role,
          gone: context.goneUsers(instance.node),
          closed: context.isClosed(instance.node),
          restore: (role === 'restore' && context.restoreOf(instance.node)) || null,
          source: context.membersOf(source).filter((member) => member.instance !== id),
          upstream: role === 'copy' ? context.membersOf(source) : others,
        },
      }
    }
    case 'database.node': {
      const members = context.keptOf(id).filter(({ instance }) => !context.isLeft(instance))
      const synchronous = context.isSynchronous(id)
      const copied = context.isCopied(id)
      const later = members.map(({ instance }) => instance).filter((one) => context.isSetUpBehind(phase, one))
      const unread = context.slotsReadBehind(phase, id)
      const input = { node: id, members, synchronous, copied, later, unread, keep: context.slots() }
      return { step: 'arrange-node', input }
    }
    case 'database.postgres_database': {
      const node = String(attributes.node_name)
      const created = attributes.post_database_create as { statements?: string[] } | undefined
      const extensions = extensionsOf(resource)
      const before = extensionsOf(context.actual(type, id))
      return {
        step: 'set-up-database',
        input: {
          database: attributes.database_name,
          renameFrom: attributes.rename_from ?? '',
          owner: attributes.owner,
          script: created?.statements ?? [],
          extensions,
          goneExtensions: before.filter((name) => !extensions.includes(name)),
          members: context.membersOf(node),
          copied: context.isCopied(node),
          shareOf: context.isAlone ? null : node,
        },
      }
    }
    case 'database.replication_slot':
    case 'database.replication_slot_create': {
      const pair = between(resource, context)
      const anew = type === 'database.replication_slot' && context.isRestoredSince(pair.subscriber, pair.provider)
      const loss = context.mayMiss(pair.subscriber)
      return { step: 'create-slot', input: { ...pair, loss, read: context.hasRead(pair), anew } }
    }
    case 'database.subscription': {
      const pair = between(resource, context)
      const { disabled, sync_data } = attributes
      if (sync_data === true) {
        return { step: 'populate-node', input: { ...pair, instances: context.settingsOf(pair.subscriber) } }
      }
      // A node that is being filled cannot hold a subscription yet: it gets it with its position.
      const copied = disabled === true && context.isCopied(pair.subscriber)
      const read = context.hasRead(pair) && !context.mayMiss(pair.subscriber)
      return { step: 'set-up-subscription', input: { ...pair, enabled: disabled !== true, copied, read } }
    }
    case 'database.sync_event':
      return { step: 'send-mark', input: between(resource, context) }
    case 'database.wait_for_sync_event':
    case 'database.peer_catchup': {
      const pair = between(resource, context)
      const mark = `${pair.provider}:${pair.subscriber}:${pair.database}`
      return {
        step: 'await-mark',
        input: { ...pair, mark: materialId({ type: 'database.sync_event', id: mark }) },
      }
    }
    case 'database.lag_tracker_commit_ts':
      return { step: 'read-position', input: between(resource, context) }
    case 'database.replication_slot_advance_from_cts':
      return { step: 'advance-slot', input: positioned(resource, context) }
    case 'database.replication_origin_advance':
      return { step: 'advance-origin', input: positioned(resource, context) }
    case 'database.switchover': {
      const node = String(context.actual('database.instance', id)?.attributes.node)
      return {
        step: 'switch-over',
        input: { node, members: context.membersOf(node), to: id, synchronous: context.isSynchronous(node) },
      }
    }
    default:
      return { step: 'note-resource', input: {} }
  }
}

export function extensionsOf(database: ResourceData | undefined): string[] {
  const { extensions } = database?.attributes ?? {}
  return Array.isArray(extensions) ? extensions.map(String) : []
}

function removal({ resource }: Event, context: DatabaseContext): Work {
  const { type, id } = resource.identifier
  switch (type) {
    case 'host':
      return { step: 'delete-host', input: { host: HostAttributes.parse(resource.attributes) } }
    case 'database.instance': {
      const { node } = InstanceAttributes.parse(resource.attributes)
      const members = context.membersOf(node)
      return {
        step: 'remove-instance',
        input: {
          member: members.find((member) => member.instance === id),
          peers: Object.values(context.members)
            .flat()
            .filter(({ instance }) => instance !== id),
          aside: context.isRestored(id, node),
          machineGoes: !context.usesMachine(String(resource.attributes.vm)),
        },
      }
    }
    case 'database.replication_slot': {
      const pair = goingBetween(resource, context, 'provider')
      const kept = [pair.provider, pair.subscriber].some((node) => context.restoreOf(node) !== undefined)
      return { step: 'delete-slot', input: { ...pair, kept } }
    }
    case 'database.subscription': {
      const pair = goingBetween(resource, context, 'subscriber')
      const keep = context.isWanted(pair.provider) && context.isWanted(pair.subscriber)
      return { step: 'delete-subscription', input: { ...pair, keep } }
    }
    default:
      return { step: 'note-resource', input: {} }
  }
}

/** Provider and subscriber of what lies between two nodes, under whatever names the reference gives them. */
function between({ attributes }: ResourceData, context: DatabaseContext) {
  const text = (...names: string[]) =>
    String(names.map((name) => attributes[name]).find((value) => value !== undefined))
  const provider = text('provider_node', 'origin_node', 'peer_node')
  const subscriber = text('subscriber_node', 'receiver_node', 'source_node')
  return { provider, subscriber, database: text('database_name'), members: context.pick(provider, subscriber) }
}

/** With whether the node that it is on leaves as a whole. */
function goingBetween(resource: ResourceData, context: DatabaseContext, on: 'provider' | 'subscriber') {
  const pair = between(resource, context)
  return { ...pair, going: !context.isWanted(pair[on]) }
}

function positioned(resource: ResourceData, context: DatabaseContext) {
  const pair = between(resource, context)
  const id = `${pair.provider}:${pair.subscriber}:${pair.database}`
  return { ...pair, position: materialId({ type: 'database.lag_tracker_commit_ts', id }) }
}
