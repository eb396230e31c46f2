import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineKind, type PlanOptions } from '../../kinds/contract/kind.ts'
import { optionsOf } from '../../services/planner/planning/options.ts'
import { emptyFloorplan } from '../../shared/model/material.ts'
import { Order, orderWith } from '../../shared/model/order.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'

const Paced = z.strictObject({ pace: z.number().exactOptional() })
const seen: PlanOptions[] = []
const kind = (options: { options?: typeof Paced } = {}) =>
  defineKind({
    name: 'garden',
    strategy: z.object({}),
    ...options,
    recognises: () => true,
    nothing: (deployment) => ({ deployment, kind: 'garden', materials: [], strategy: {} }),
    architect: () => ({ deployment: 'rose', kind: 'garden', materials: [], strategy: {} }),
    deploymentName: () => 'rose',
    inspector: async ({ deployment }) => ({ ...emptyFloorplan(deployment), observations: [] }),
    foreman: async (_blueprint, _floorplan, asked) => {
      seen.push(asked)
      return { remodels: [], windows: [], permits: [], notes: [] }
    },
  })
const paced = kind({ options: Paced })

const order = (options: unknown) =>
  Order.parse({ manifest: { name: 'rose.yml', content: 'name: rose' }, options }).options
const draw = async (asked: ReturnType<typeof order>, of = paced) =>
  of.foreman(of.nothing('rose'), emptyFloorplan('rose'), { ...optionsOf(of, asked), remove: false })

test('a kind is given the options that are its own, apart from those of every kind', async () => {
  await draw(order({ recreate: true, pace: 3 }))
  expect(seen.pop()).toMatchObject({ recreate: true, skipDrain: false, remove: false, own: { pace: 3 } })
  await draw(order(undefined))
  expect(seen.pop()).not.toHaveProperty('own')
})

test.each([
  ['that no kind has', { place: 3 }, paced, 'options.place'],
  ['of another type', { pace: 'fast' }, paced, 'options.pace'],
  ['of a kind that has none', { pace: 3 }, kind(), 'options.pace'],
  ['that only the core gives', { remove: true }, paced, 'options.remove'],
])('an option %s is refused by its name', async (_what, options, of, path) => {
  const error = await draw(order(options), of).catch((found: unknown) => found)
  expect(error).toBeInstanceOf(RemodelError)
  expect(error).toMatchObject({ code: 'invalid-input', faults: [expect.objectContaining({ path })] })
  expect(seen).toEqual([])
})

test('a misspelt option is refused with the nearest one, of all that there are', async () => {
  const error = await draw(order({ recreat: true })).catch((found: unknown) => found)
  expect(error).toMatchObject({ faults: [expect.objectContaining({ suggestion: 'recreate' })] })
})

test('over HTTP an option that no kind has is refused before anything is read', () => {
  const request = { manifest: { name: 'rose.yml', content: 'name: rose' }, options: { pace: 3 } }
  expect(orderWith(Paced.shape).parse(request).options).toEqual({ recreate: false, skipDrain: false, pace: 3 })
  expect(() => orderWith({}).parse(request)).toThrow()
})

test('an option that is no text, number or switch is refused before anything is planned', () => {
  expect(() => order({ pace: { of: 3 } })).toThrow()
})
