import { expect, test } from 'vitest'
import { losses } from '../../../kinds/database/plan/losses.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'

const host = (letter: string, health: string): ActualMaterial => ({
  id: `host/${letter}`,
  attributes: { vm: `db-shop-${letter}` },
  needs: [],
  meta: { health },
})

test('lost are hosts whose machine is gone or silent; a server that ended on one that lives is left to its agent', () => {
  const server = { id: 'instance/n1-d', attributes: { vm: 'db-shop-d' }, needs: [], meta: { health: 'missing' } }
  const materials = [host('a', 'running'), host('b', 'missing'), host('c', 'silent'), host('d', 'running'), server]
  expect(losses({ materials, observations: [] })).toEqual([
    { subject: 'host/b', machine: 'db-shop-b', is: 'gone' },
    { subject: 'host/c', machine: 'db-shop-c', is: 'silent' },
  ])
})
