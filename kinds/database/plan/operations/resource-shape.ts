/** A wrong place in a resource or state: the path from it, and what is wrong there. */
export interface Wrong {
  readonly path: readonly (string | number)[]
  readonly message: string
}

const executors: readonly unknown[] = ['host', 'primary', 'any', 'manager']
const text = (value: unknown) => typeof value === 'string'
const flag = (value: unknown) => typeof value === 'boolean'
const object = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const identifier = (value: unknown) => object(value) && text(value.id) && text(value.type)
const listOf = (right: (value: unknown) => boolean) => (value: unknown) =>
  value === null || (Array.isArray(value) && value.every(right))

const fields: readonly [name: string, right: (value: unknown) => boolean, wanted: string][] = [
  ['needs_recreate', flag, 'true or false'],
  [
    'executor',
    (value) => object(value) && executors.includes(value.type) && text(value.id),
    `{type, id} with one of ${executors.join(', ')}`,
  ],
  ['identifier', identifier, '{type, id}'],
  ['attributes', object, 'an object'],
  ['dependencies', listOf(identifier), 'null or a list of {type, id}'],
  ['type_dependencies', listOf(text), 'null or a list of types'],
  ['diff_ignore', listOf(text), 'null or a list of JSON pointers'],
  ['resource_version', text, 'a text'],
  ['pending_deletion', flag, 'true or false'],
  ['error', text, 'a text'],
]

/**
 * What is wrong with a value that should be a resource. By hand: a large state has hundreds of thousands of them, and
 * they are looked at, not copied.
 */
export function wrongResource(value: unknown): Wrong[] {
  if (!object(value)) return [{ path: [], message: 'expected a resource' }]
  const wrong: Wrong[] = []
  for (const [name, right, wanted] of fields) {
    if (!right(value[name])) wrong.push({ path: [name], message: `expected ${wanted}` })
  }
  return wrong
}

/** What is wrong with the resources of a state, type -> id -> resource; each must stand under its own identifier. */
export function wrongResources(value: unknown): Wrong[] {
  if (!object(value)) return [{ path: [], message: 'expected type -> id -> resource' }]
  const wrong: Wrong[] = []
  for (const [type, byId] of Object.entries(value)) {
    if (!object(byId)) {
      wrong.push({ path: [type], message: 'expected id -> resource' })
      continue
    }
    for (const [id, resource] of Object.entries(byId)) {
      const found = wrongResource(resource)
      for (const { path, message } of found) wrong.push({ path: [type, id, ...path], message })
      if (found.length > 0) continue
      const { identifier: named } = resource as { identifier: { type: string; id: string } }
      if (named.type !== type || named.id !== id) {
        wrong.push({ path: [type, id, 'identifier'], message: `expected ${type}::${id}, where it is` })
      }
    }
  }
  return wrong
}
