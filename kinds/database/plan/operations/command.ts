import type { z } from 'zod'
import { RemodelError } from '../../../../shared/runtime/errors.ts'
import { fault, faultClass } from './faults.ts'
import * as operations from './operations.ts'
import type { NamedPlan, PatchStep, ResourceData, State } from './resource.ts'
import { type FunctionName, type InputOf, inputs } from './schema.ts'
import { type EventSummary, summaryOf } from './summary.ts'

/** What a function came to, in the shape the reference's cases expect. Exactly one of the first nine is set. */
export interface OperationResult {
  states?: State[]
  state?: State | null
  plans?: EventSummary[][][]
  plan?: EventSummary[][]
  diff?: readonly PatchStep[] | null
  event_resource?: ResourceData
  value?: unknown
  error?: string
  /** With `error`: stable, to branch on. */
  error_class?: string
  /** With `error`: every wrong place of the input. */
  faults?: RemodelError['faults']
  /** With `plans`: what each is for, for people. */
  plan_names?: string[]
}

type Functions = { [Name in FunctionName]: (input: InputOf<Name>) => OperationResult }

const functions: Functions = {
  AddNode: ({ node }) => ({ states: operations.AddNode(node) }),
  AddNodes: ({ nodes }) => ({ states: operations.AddNodes(nodes) }),
  UpdateNode: ({ start, node }) => ({ states: operations.UpdateNode(start, node) }),
  RollingUpdateNodes: ({ start, nodes }) => ({ states: operations.RollingUpdateNodes(start, nodes) }),
  ConcurrentUpdateNodes: ({ start, nodes }) => ({ states: operations.ConcurrentUpdateNodes(start, nodes) }),
  PopulateNode: ({ node, existing_node_names }) => ({ state: operations.PopulateNode(node, existing_node_names) }),
  PopulateNodes: ({ existing, new: added }) => ({ state: operations.PopulateNodes(existing, added) }),
  EndState: ({ nodes, services }) => ({ state: operations.EndState(nodes, services) }),
  RestoreNode: ({ node }) => ({ states: operations.RestoreNode(node) }),
  UpdateDatabase: ({ options, start, nodes, services }) =>
    named(operations.UpdateDatabase(definedOnly(options), start, nodes, services)),
  RestoreDatabase: ({ start, nodes, targets }) => named(operations.RestoreDatabase(start, nodes, targets)),
  Plan: ({ current, desired, plan_options }) => ({ plan: summaryOf(operations.Plan(current, plan_options, desired)) }),
  PlanRefresh: ({ current }) => ({ plan: summaryOf(operations.PlanRefresh(current)) }),
  EventApply: ({ event, lifecycle }) => ({
    event_resource: operations.EventApply(event, {
      error: lifecycle.returns_error,
      notFound: lifecycle.returns_not_found,
    }),
  }),
  JSONDiff: ({ current, desired, ignore }) => ({ diff: operations.jsonDiff(current, desired, ignore) }),
  VariableFromContext: ({ variables, name, want_type }) => ({
    value: operations.VariableFromContext(variables, name, want_type),
  }),
  resolveTargetSessionAttrs: ({ service_spec }) => ({ value: operations.resolveTargetSessionAttrs(service_spec) }),
}

/** The names `runOperation` knows. */
export const operationNames = Object.keys(functions) as FunctionName[]

/**
 * Runs one function on one input. Never throws for what the input says: a refusal is a result with `error`,
 * `error_class` and, where the input itself is wrong, `faults`.
 */
export function runOperation(name: string, input: unknown): OperationResult {
  try {
    if (!isFunction(name)) {
      throw fault('unknown_function', `there is no function ${name}; there are ${operationNames.join(', ')}`)
    }
    return run(name, input)
  } catch (error) {
    const errorClass = faultClass(error)
    if (errorClass === undefined || !(error instanceof RemodelError)) throw error
    const { message, faults } = error
    return { error: message, error_class: errorClass, ...(faults.length > 0 ? { faults } : {}) }
  }
}

/**
 * Runs NDJSON lines `{name, function, input}`; yields a line for each, in the same order: `{name}` and the result.
 * Empty lines are skipped. A line that is no such object gives an error line, and the batch goes on.
 */
export async function* runBatch(lines: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) if (line.trim() !== '') yield JSON.stringify(runLine(line))
}

function runLine(line: string): OperationResult & { name: string | null } {
  let given: unknown
  try {
    given = JSON.parse(line)
  } catch (error) {
    return { name: null, error: `not JSON: ${(error as Error).message}`, error_class: 'invalid_input' }
  }
  const { name, function: called, input } = (given ?? {}) as { name?: unknown; function?: unknown; input?: unknown }
  const { plan_names: _names, ...result } = runOperation(String(called ?? ''), input)
  return { name: typeof name === 'string' ? name : null, ...result }
}

function run<Name extends FunctionName>(name: Name, input: unknown): OperationResult {
  const parsed = inputs[name].safeParse(input)
  if (!parsed.success) throw unreadable(name, parsed.error)
  return functions[name](parsed.data as InputOf<Name>)
}

function unreadable(name: string, error: z.ZodError): RemodelError {
  const faults = error.issues.map(({ path, message }) => ({ path: pathOf(path), message }))
  const [first] = faults
  return new RemodelError('invalid-input', `${name}: ${first?.path || 'input'}: ${first?.message}`, {
    faults,
    details: { error_class: 'invalid_input' },
  })
}

function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
}

function named(plans: readonly NamedPlan[]): OperationResult {
  return { plans: plans.map(({ phases }) => summaryOf(phases)), plan_names: plans.map(({ name }) => name) }
}

/** zod spells an absent option `undefined`; the function wants it absent. */
function definedOnly({ hosts, ...options }: InputOf<'UpdateDatabase'>['options']): operations.UpdateDatabaseOptions {
  return hosts === undefined ? options : { ...options, hosts }
}

function isFunction(name: string): name is FunctionName {
  return Object.hasOwn(functions, name)
}
