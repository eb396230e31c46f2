import { fault } from './faults.ts'
import { type Event, type JsonObject, nameOf, type ResourceData } from './resource.ts'

/** What the work on a resource came to. */
export interface Outcome {
  /** What it failed with; absent or empty when it succeeded. */
  readonly error?: string
  /** A refresh found that the resource is not there. Of no meaning for other events. */
  readonly notFound?: boolean
  /** What was observed, when it is not what the event carries. */
  readonly attributes?: JsonObject
}

/**
 * What is to be remembered of a resource after its event was carried out; for a delete, what it last was.
 *
 * A refresh keeps the old flags, and marks what is not there to be created again. A create or update clears the flags;
 * one that fails is remembered with its error, a failed create also as to be created again, so that a later delete or
 * create finds it. A refresh or delete that fails throws `apply_failed`: nothing may be concluded from it, and a
 * resource whose delete failed must stay known. Rule of the reference: `resource.Event.Apply`.
 */
export function EventApply(event: Event, outcome: Outcome): ResourceData {
  const { resource, type } = event
  const failed = outcome.error !== undefined && outcome.error !== ''
  const words = `failed to ${type} resource ${nameOf(resource.identifier)}: ${outcome.error}`
  const after = { ...resource, attributes: outcome.attributes ?? resource.attributes, pending_deletion: false }
  switch (type) {
    case 'refresh':
      if (outcome.notFound) return { ...after, needs_recreate: true }
      if (failed) throw fault('apply_failed', words)
      return after
    case 'create':
      return { ...after, needs_recreate: failed, error: failed ? words : '' }
    case 'update':
      return { ...after, needs_recreate: false, error: failed ? words : '' }
    case 'delete':
      if (failed) throw fault('apply_failed', words)
      return { ...after, needs_recreate: false, error: '' }
  }
}
