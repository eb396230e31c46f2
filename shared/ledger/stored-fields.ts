import type { Plan } from '../model/plan.ts'
import { graphOf } from './graph.ts'

/**
 * What one round trip stores at most: values, and characters of them. Lua hands on no more than 8,000 values at once.
 */
const storedValues = 800
const storedCharacters = 64 * 1024

type Field = [part: string, field: string, value: string | number]

function fieldsOf(part: string, fields: Iterable<readonly [string, string | number]>): Field[] {
  return Array.from(fields, ([field, value]): Field => [part, field, value])
}

/** Fields of hashes, packed as `store.lua` takes them, in as many calls as keep each short. */
export function* inRoundTrips(fields: readonly Field[]): Generator<(string | number)[]> {
  for (let i = 0; i < fields.length; ) {
    const hashes = new Map<string, (string | number)[]>()
    for (let values = 0, characters = 0; i < fields.length && values < storedValues; i++, values += 2) {
      const [part, field, value] = fields[i]!
      characters += field.length + String(value).length
      if (values > 0 && characters > storedCharacters) break
      const hash = hashes.get(part) ?? []
      hash.push(field, value)
      hashes.set(part, hash)
    }
    yield [...hashes].flatMap(([part, values]) => [part, values.length, ...values])
  }
}

/** What is written of a plan that is stored `at`: its own record, and the fields of the hashes beside it. */
export function storedPlan(plan: Plan, { at, order }: { at: number; order: string }, part: number) {
  const { remodels, reservations, permits: _, windows, ...header } = plan
  const graph = graphOf(plan, part)
  const facts = {
    header: JSON.stringify(header),
    queues: JSON.stringify(graph.queues),
    floorplan: plan.floorplan.version,
    kind: plan.kind,
    ...(plan.action === undefined ? {} : { action: plan.action }),
    format: plan.format,
    total: remodels.length,
    open: remodels.length,
    done: 0,
    failed: 0,
    skipped: 0,
    createdAt: at,
    ...(reservations ? { round: 0 } : {}),
    ...(order === '' ? {} : { order }),
    state: 'stored',
  }
  const limits = windows.map(({ name, limit }): [string, number] => [`limit:${name}`, limit])
  const fields = [
    ...fieldsOf('graph', graph.nodes),
    ...fieldsOf('lists', graph.lists),
    ...fieldsOf('places', graph.places),
    ...fieldsOf('windows', limits),
    ...fieldsOf(
      'unmet',
      remodels.map(({ id, needs }) => [id, needs.length]),
    ),
    ...fieldsOf(
      'state',
      remodels.map(({ id }) => [id, 'blocked']),
    ),
    ...fieldsOf(
      'reservations',
      (reservations ?? []).map((one, i) => [String(i), JSON.stringify(one)]),
    ),
    ...fieldsOf('remodels', graph.remodels),
  ]
  return { facts, fields }
}
