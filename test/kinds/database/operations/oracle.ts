import {
  type Event,
  jsonDiff,
  nameOf,
  type ResourceData,
  resourcesOf,
  type State,
  stateOf,
} from '../../../../kinds/database/plan/operations/operations.ts'

/**
 * The planner written down as plainly as the reference describes it: whole states, whole graphs, every step anew. Slow,
 * and sharing nothing with the planner it checks but the comparison of attributes.
 */
export function plainPlan(current: State, desired: State, force = false): Event[][] {
  const stood = indexOf(current)
  const wanted = indexOf(desired)
  const modified = new Set<string>()
  const modifiedTypes = new Set<string>()
  const phases: Event[][] = []
  for (const layer of layersOf(wanted, (resource) => needs(resource, wanted, true))) {
    const phase = layer.flatMap((resource) => {
      const event = decide(stood.get(nameOf(resource.identifier)), resource, force, { modified, modifiedTypes })
      return event === undefined ? [] : [event]
    })
    for (const { resource } of phase) modified.add(nameOf(resource.identifier))
    for (const { resource } of phase) modifiedTypes.add(resource.identifier.type)
    phases.push(phase)
  }
  const above = new Map<string, string[]>()
  for (const resource of stood.values()) {
    for (const below of needs(resource, stood, false)) {
      above.set(below, [...(above.get(below) ?? []), nameOf(resource.identifier)])
    }
  }
  for (const layer of layersOf(stood, (resource) => above.get(nameOf(resource.identifier)) ?? [])) {
    const gone = layer.filter(({ identifier }) => !wanted.has(nameOf(identifier)))
    phases.push(gone.map((resource) => ({ type: 'delete', resource })))
  }
  return phases.filter((phase) => phase.length > 0)
}

/** The states one after the other, each merged upon the one before; the last as it is. */
export function plainPlans(start: State, differences: readonly State[], end: State, force: boolean): Event[][][] {
  const wanted = indexOf(end)
  let before = stateOf(
    resourcesOf(start)
      .filter(({ identifier, needs_recreate }) => !(needs_recreate && wanted.has(nameOf(identifier))))
      .map((one) => (wanted.has(nameOf(one.identifier)) ? one : { ...one, pending_deletion: true })),
  )
  const plans: Event[][][] = []
  for (const difference of differences) {
    const after = stateOf([...resourcesOf(before), ...resourcesOf(difference)])
    plans.push(plainPlan(before, after))
    before = after
  }
  plans.push(plainPlan(before, end, force))
  return plans.filter((plan) => plan.length > 0)
}

function indexOf(state: State): Map<string, ResourceData> {
  return new Map(resourcesOf(state).map((resource) => [nameOf(resource.identifier), resource]))
}

function needs(resource: ResourceData, among: ReadonlyMap<string, ResourceData>, strict: boolean): string[] {
  const direct = (resource.dependencies ?? []).map(nameOf)
  if (strict && direct.some((name) => !among.has(name))) throw new Error('missing dependency')
  const types = resource.type_dependencies ?? []
  const byType = [...among.values()].filter(({ identifier }) => types.includes(identifier.type))
  return [...direct.filter((name) => among.has(name)), ...byType.map(({ identifier }) => nameOf(identifier))]
}

function layersOf(
  resources: ReadonlyMap<string, ResourceData>,
  before: (resource: ResourceData) => string[],
): ResourceData[][] {
  const depths = new Map<string, number>()
  const depthOf = (name: string): number => {
    const known = depths.get(name)
    if (known !== undefined) return known
    const depth = Math.max(-1, ...before(resources.get(name)!).map(depthOf)) + 1
    depths.set(name, depth)
    return depth
  }
  const layers: ResourceData[][] = []
  for (const [name, resource] of resources) {
    const depth = depthOf(name)
    layers[depth] = [...(layers[depth] ?? []), resource]
  }
  return layers
}

function decide(
  stood: ResourceData | undefined,
  resource: ResourceData,
  force: boolean,
  { modified, modifiedTypes }: { modified: ReadonlySet<string>; modifiedTypes: ReadonlySet<string> },
): Event | undefined {
  if (stood === undefined) return { type: 'create', resource, reason: 'does_not_exist' }
  if (stood.pending_deletion) return undefined
  if (stood.needs_recreate) return { type: 'create', resource, reason: 'needs_recreate' }
  if (stood.error !== '') return { type: 'update', resource, reason: 'has_error' }
  if (force) return { type: 'update', resource, reason: 'force_update' }
  const shaken =
    resource.type_dependencies?.some((type) => modifiedTypes.has(type)) ||
    resource.dependencies?.some((dependency) => modified.has(nameOf(dependency)))
  if (shaken) return { type: 'update', resource, reason: 'dependency_updated' }
  if (stood.resource_version !== resource.resource_version) return undefined
  const diff = jsonDiff(stood.attributes, resource.attributes, stood.diff_ignore)
  return diff === null ? undefined : { type: 'update', resource, reason: 'has_diff', diff }
}
