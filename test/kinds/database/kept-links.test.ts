import { describe, expect, test } from 'vitest'
import { inputs } from '../../../kinds/database/inputs.ts'
import { linkAsFound, lostSlot } from '../../../kinds/database/inspection/links.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import { archiveOf } from './archive-of.ts'
import { builtBy } from './built.ts'
import { documentOf, type Wish } from './document.ts'
import { planOf as planUpon } from './planned.ts'

const two: Wish = { net: 80, nodes: { n1: 'a', n2: 'b' }, keep: 2 }
const request = { restore_options: { type: 'time', target: '2026-01-01T12:00:00Z' } }
const archives = ['n1', 'n2'].map(archiveOf)
/** The plan upon two nodes with a backup each. */
const planOf = (wish: Wish, materials: ActualMaterial[] = [], force = false) => {
  const text = JSON.stringify({ ...JSON.parse(documentOf(wish)), ...(force ? { force_update: true } : {}) })
  return planUpon(text, materials, archives)
}
type Planned = Awaited<ReturnType<typeof planOf>>

const actual = async () => builtBy(await planOf(two))

/** `<provider> to <subscriber>` of the links that the input of a step of a plan names. */
function told({ remodels }: Planned, step: 'create-slot' | 'delete-slot' | 'delete-subscription', flag: string) {
  return remodels
    .filter((remodel) => remodel.step === step)
    .map(({ input }) => inputs[step].parse(input))
    .filter((input) => (input as Record<string, unknown>)[flag] === true)
    .map(({ provider, subscriber }) => `${provider} to ${subscriber}`)
    .sort()
}
const both = ['n1 to n2', 'n2 to n1']

describe('a restore', () => {
  test('of a database leaves slots where they are, which may come back, and has nodes keep their places', async () => {
    const plan = await planOf({ ...two, restore: { all: request } }, await actual())
    expect(told(plan, 'delete-subscription', 'keep')).toEqual(both)
    expect(told(plan, 'delete-slot', 'kept')).toEqual(both)
    // They are made with the data, before clients write to it.
    expect(told(plan, 'create-slot', 'anew')).toEqual([])
  })

  test('of one node makes the slot anew by which it reads from the other one, and no other slot', async () => {
    const plan = await planOf({ ...two, restore: { n1: request } }, await actual())
    expect(told(plan, 'delete-slot', 'kept')).toEqual(both)
    expect(told(plan, 'create-slot', 'anew')).toEqual(['n2 to n1'])
  })

  test('that is withdrawn makes no slot anew', async () => {
    const links = /^(replication_slot|subscription)\//
    const left = (await actual()).filter(({ id }) => !links.test(id))
    const plan = await planOf(two, left)
    expect(told(plan, 'create-slot', 'anew')).toEqual([])
    expect(told(plan, 'create-slot', 'loss')).toEqual([])
  })
})

test('a node that leaves is no place to go on from, and its slots go', async () => {
  const plan = await planOf({ ...two, nodes: { n1: 'a' } }, await actual())
  expect(told(plan, 'delete-subscription', 'keep')).toEqual([])
  expect(told(plan, 'delete-slot', 'kept')).toEqual([])
})

test('a step knows of a link that it was read by, as it is recorded', async () => {
  expect(told(await planOf(two), 'create-slot', 'read')).toEqual([])
  expect(told(await planOf(two, await actual(), true), 'create-slot', 'read')).toEqual(both)
})

test('a slot is lost too where its subscription is gone with it, as far as the link was read by', async () => {
  const slot = (await actual()).find(({ id }) => id === 'replication_slot/n1:n2:shop')!
  const resource = { ...(slot.meta.resource as object), attributes: slot.attributes } as never
  const server = { slots: [], invalid: new Map(), subscriptions: [] }
  const primaries = new Map([
    ['n1', server],
    ['n2', server],
  ]) as never
  expect(linkAsFound(resource, primaries, new Map())).toMatchObject({ needs_recreate: true })
  expect(lostSlot(resource, primaries, new Set(['n1:n2:shop']))).toEqual({ lost: 'it is gone', missed: null })
  expect(lostSlot(resource, primaries, new Set())).toEqual({})
})
