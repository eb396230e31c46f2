import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { type Identifier, nameOf } from './resource.ts'

/**
 * What an operation can refuse with. `missing_dependency` and the three after it are the planner's own; the names are
 * part of the batch interface, so they never change.
 */
export type FaultClass =
  | 'missing_dependency'
  | 'self_dependency'
  | 'self_type_dependency'
  | 'cycle'
  | 'invalid_source_node'
  | 'invalid_strategy'
  | 'empty_node'
  | 'no_primary'
  | 'primary_not_created'
  | 'data_loss'
  | 'duplicate_node'
  | 'duplicate_host'
  | 'duplicate_instance'
  | 'unknown_host'
  | 'invalid_name'
  | 'target_also_updated'
  | 'apply_failed'
  | 'undefined_variable'
  | 'variable_type'
  | 'unknown_function'
  | 'invalid_input'

/** A refusal with its class in `details.error_class`; the code is `invalid-input` throughout: nothing was changed. */
export function fault(
  errorClass: FaultClass,
  message: string,
  details: Record<string, unknown> = {},
  cause?: unknown,
): RemodelError {
  return new RemodelError('invalid-input', message, { details: { error_class: errorClass, ...details }, cause })
}

/** The class of a refusal made by `fault`, undefined for anything else. */
export function faultClass(error: unknown): FaultClass | undefined {
  return error instanceof RemodelError ? (error.details.error_class as FaultClass | undefined) : undefined
}

/** The same refusal with words in front that say where it arose. */
export function within(words: string, error: unknown): unknown {
  const errorClass = faultClass(error)
  if (errorClass === undefined) return error
  const { message, details } = error as RemodelError
  return fault(errorClass, `${words}: ${message}`, details, error)
}

export function missingDependency(of: Identifier, missing: Identifier): RemodelError {
  return fault('missing_dependency', `dependency of ${nameOf(of)} not found: ${nameOf(missing)}`)
}

export function selfDependency(of: Identifier): RemodelError {
  return fault('self_dependency', `invalid dependency: resource '${nameOf(of)}' cannot depend on itself`)
}

export function selfTypeDependency(of: Identifier): RemodelError {
  return fault(
    'self_type_dependency',
    `invalid type dependency: resource '${nameOf(of)}' cannot depend on its own type '${of.type}'`,
  )
}

export function dependencyCycle(through: readonly Identifier[]): RemodelError {
  return fault(
    'cycle',
    'failed to sort resource graph: cycle detected in graph: topological sort not possible ' +
      `(among ${through.map(nameOf).join(', ')})`,
  )
}
