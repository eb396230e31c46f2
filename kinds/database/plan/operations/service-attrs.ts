import { fault } from './faults.ts'
import type { Json } from './resource.ts'

/** What a service says about the server it wants to be connected to. */
export interface ServiceSpec {
  readonly service_type: string
  readonly config?: { readonly [key: string]: Json } | null | undefined
  readonly database_connection?: { readonly target_session_attrs?: string | null | undefined } | null | undefined
}

/**
 * libpq's `target_session_attrs` of a service: its own setting; else the primary for an MCP server that may write;
 * else a standby where there is one. Rule of the reference: `workflows.resolveTargetSessionAttrs`.
 */
export function resolveTargetSessionAttrs(spec: ServiceSpec): string {
  const explicit = spec.database_connection?.target_session_attrs
  if (explicit) return explicit
  return spec.service_type === 'mcp' && spec.config?.allow_writes === true ? 'primary' : 'prefer-standby'
}

/**
 * A variable handed to the work on a resource, of the type that is wanted (`string`, `bool`, `number`). Throws
 * `undefined_variable` or `variable_type`. Rule of the reference: `resource.VariableFromContext`.
 */
export function VariableFromContext(
  variables: Readonly<Record<string, Json>> | null | undefined,
  name: string,
  wantType: string,
): Json {
  if (variables == null || !Object.hasOwn(variables, name)) {
    throw fault('undefined_variable', `variable not defined: ${name}`)
  }
  const value = variables[name]!
  const type = typeof value === 'boolean' ? 'bool' : typeof value
  if (type !== wantType) {
    throw fault('variable_type', `variable type mismatch: expected ${wantType}, but got ${type}`)
  }
  return value
}
