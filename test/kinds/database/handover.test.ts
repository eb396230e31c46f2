import { describe, expect, test } from 'vitest'
import { handovers } from '../../../kinds/database/plan/foreman/handover.ts'
import type { NodeResources } from '../../../kinds/database/plan/operations/operations.ts'
import { commitsOf } from '../../../kinds/database/postgres/quorum.ts'
import type { ActualMaterial, Attributes } from '../../../shared/model/material.ts'

const replica = (lsn: number, more: Attributes = {}): Attributes => ({
  health: 'running',
  role: 'replica',
  timeline: 1,
  received: lsn,
  lag_bytes: 0,
  slots: [],
  ...more,
})
const primary: Attributes = { health: 'running', role: 'primary', timeline: 1, received: 900 }
const down: Attributes = { health: 'down', machine: 'answers' }
const gone = { health: 'missing', disk: 'gone' }

interface Found {
  servers: Record<string, Attributes>
  hosts?: Record<string, Attributes>
  node?: Attributes
  wanted?: string
  acceptLoss?: boolean
}

/** Node n1 on hosts a, b, ..., whose primary was n1-a. */
function decide({ servers, hosts = {}, node = {}, wanted, acceptLoss = false }: Found) {
  const letters = Object.keys(servers)
  const material = (id: string, attributes: Attributes, meta: Attributes): ActualMaterial => ({
    id,
    attributes,
    needs: [],
    meta,
  })
  const materials = [
    material('node/n1', { primary_instance_id: 'n1-a' }, node),
    ...letters.map((letter) => material(`host/${letter}`, {}, hosts[letter] ?? { health: 'running', disk: 'there' })),
    ...letters.map((letter) => material(`instance/n1-${letter}`, { node: 'n1', host_id: letter }, servers[letter]!)),
  ]
  const instances = letters.map((letter) => ({ instance_id: `n1-${letter}` }))
  const nodes = [{ node_name: 'n1', instances } as unknown as NodeResources]
  return handovers(materials, nodes, wanted === undefined ? {} : { n1: wanted }, { acceptLoss })
}

describe('a node whose primary is on a machine that cannot be worked with', () => {
  const frozen = { health: 'silent', disk: 'there' }

  test('fails over, and says that the machine is ended, where a quorum answers', () => {
    const { handovers: found, notes } = decide({
      servers: { a: { ...down, machine: 'silent' }, b: replica(100), c: replica(500) },
      hosts: { a: frozen },
    })
    expect(found).toMatchObject([{ how: 'fail-over', from: 'n1-a', to: 'n1-c', acceptLoss: false }])
    expect(notes[0]).toMatch(/^the machine of n1-a does not answer: it is ended/)
  })

  test('starts no replica on another one that does not answer', () => {
    const { handovers: found } = decide({
      servers: { a: down, b: replica(100), c: { ...down, machine: 'silent' } },
      hosts: { a: gone, c: frozen },
    })
    expect(found).toMatchObject([{ how: 'fail-over', to: 'n1-b', wake: [] }])
  })

  test('fails over where the disk of its primary is full, whether that answers or not', () => {
    for (const full of [
      { ...down, full: true },
      { ...primary, full: true },
    ]) {
      for (const wish of [{}, { wanted: 'n1-b' }]) {
        const { handovers: found, late, notes } = decide({ servers: { a: full, b: replica(500) }, ...wish })
        expect(found).toMatchObject([{ how: 'fail-over', from: 'n1-a', to: 'n1-b', full: true, acceptLoss: false }])
        expect(late).toEqual([])
        expect(notes).toEqual(['the disk of n1-a is full: it is ended, and another server of n1 takes writes'])
      }
    }
  })

  test('fails over to no server whose disk is full as well, also where that has most', () => {
    const full = { full: true }
    const { handovers: found } = decide({
      servers: { a: { ...primary, ...full }, b: replica(500, full), c: replica(500) },
      wanted: 'n1-b',
    })
    expect(found).toMatchObject([{ how: 'fail-over', to: 'n1-c', candidates: ['n1-c'] }])
    const none = decide({ servers: { a: { ...primary, ...full }, b: replica(500, full) } })
    expect(none.handovers).toEqual([])
    expect(none.notes).toEqual([
      'node n1 has no replica that could take over: the disk of n1-a is full: make room on it',
    ])
  })

  test('is not switched over to a server whose disk is full', () => {
    const {
      handovers: found,
      late,
      notes,
    } = decide({
      servers: { a: primary, b: replica(900, { full: true }) },
      wanted: 'n1-b',
    })
    expect([found, late]).toEqual([[], []])
    expect(notes).toEqual(['the disk of n1-b is full: n1 is not switched over to it before there is room'])
  })

  test('with a full disk and commits that wait for no replica fails over with accepted loss only', () => {
    const node = { commits: commitsOf(['n1-a', 'n1-b'], false) }
    const servers = { a: { ...primary, full: true }, b: replica(500) }
    const { handovers: found, notes } = decide({ servers, node })
    expect(found).toEqual([])
    expect(notes[0]).toMatch(/the disk of n1-a is full: make room on it; --accept-loss fails over instead$/)
    expect(decide({ servers, node, acceptLoss: true }).handovers).toMatchObject([{ how: 'fail-over', to: 'n1-b' }])
  })

  test('is brought back on a new machine and its disk where no replica has all', () => {
    const { handovers: found, notes } = decide({
      servers: { a: { ...down, machine: 'silent' } },
      hosts: { a: frozen },
    })
    expect(found).toEqual([])
    expect(notes).toEqual(['node n1 has no replica that could take over: its primary is brought back'])
  })
})

describe('a node whose primary is gone with its machine', () => {
  test('fails over to the replica that has most where a quorum answers', () => {
    const { handovers: found, notes } = decide({
      servers: { a: down, b: replica(100), c: replica(500) },
      hosts: { a: gone },
    })
    expect(found).toMatchObject([{ how: 'fail-over', from: 'n1-a', to: 'n1-c', wake: [], acceptLoss: false }])
    expect(notes).toEqual([])
  })

  test('has a later timeline decide before a longer log', () => {
    const { handovers: found } = decide({
      servers: { a: down, b: replica(900), c: replica(500, { timeline: 2 }) },
      hosts: { a: gone },
    })
    expect(found[0]?.to).toBe('n1-c')
  })

  test('has a silent replica brought up first where its machine stands: only the servers know who has most', () => {
    const { handovers: found } = decide({ servers: { a: down, b: replica(100), c: down }, hosts: { a: gone } })
    expect(found).toMatchObject([{ how: 'fail-over', wake: ['n1-c'], candidates: ['n1-b', 'n1-c'], acceptLoss: false }])
    expect(found[0]).not.toHaveProperty('loss')
  })

  test('is brought back on its disk where a replica is silent for good: that loses nothing', () => {
    const { handovers: found, notes } = decide({
      servers: { a: down, b: replica(100), c: down },
      hosts: { a: { health: 'missing', disk: 'there' }, c: gone },
    })
    expect(found).toEqual([])
    expect(notes[0]).toContain('--accept-loss')
  })

  test('asks a person where its disk is gone too, and says how much the silent one may have more', () => {
    const { handovers: found, notes } = decide({
      servers: { a: down, b: replica(100), c: { health: 'down', machine: 'silent' } },
      hosts: { a: gone },
      node: { seen: { 'n1-c': { timeline: 1, lsn: 500 } } },
    })
    expect(found).toMatchObject([{ how: 'fail-over', to: 'n1-b', acceptLoss: true }])
    expect(notes[0]).toContain('400 bytes more')
    expect((found[0] as { loss?: string }).loss).toBe(notes[0])
  })

  test('fails over without a question where the loss was accepted', () => {
    const { handovers: found } = decide({
      servers: { a: down, b: replica(100), c: down },
      hosts: { a: gone, c: gone },
      acceptLoss: true,
    })
    expect(found).toMatchObject([{ how: 'fail-over', to: 'n1-b', acceptLoss: true }])
    expect(found[0]).not.toHaveProperty('loss')
  })

  test('says honestly that commits waited for no replica', () => {
    const asynchronous = { commits: commitsOf(['n1-a', 'n1-b'], false) }
    const { handovers: found, notes } = decide({
      servers: { a: down, b: replica(100) },
      hosts: { a: gone },
      node: asynchronous,
    })
    expect(notes[0]).toContain('what n1-a acknowledged last may be lost')
    expect(found[0]).toHaveProperty('loss')
    const disk = decide({
      servers: { a: down, b: replica(100) },
      hosts: { a: { health: 'missing', disk: 'there' } },
      node: asynchronous,
    })
    expect(disk.handovers).toEqual([])
  })
})

describe('a node of which no server takes writes', () => {
  test('gets a primary, be the former one a running replica or stopped as one', () => {
    const cut = decide({ servers: { a: replica(300), b: replica(300) }, wanted: 'n1-b' })
    expect(cut.handovers).toMatchObject([{ how: 'promote-node', to: 'n1-b', candidates: ['n1-a', 'n1-b'] }])
    const stopped = decide({ servers: { a: { ...down, demoted: true }, b: replica(300) } })
    expect(stopped.handovers).toMatchObject([{ how: 'promote-node', to: 'n1-a', wake: ['n1-a'] }])
  })

  test('is left alone while its primary is only down', () => {
    expect(decide({ servers: { a: { ...down, demoted: false }, b: replica(300) } }).handovers).toEqual([])
  })
})

describe('a node whose document names another primary', () => {
  test('is switched over first where the heir is well', () => {
    const { handovers: found, late } = decide({ servers: { a: primary, b: replica(900) }, wanted: 'n1-b' })
    expect(found).toEqual([{ node: 'n1', from: 'n1-a', to: 'n1-b', how: 'switch-over' }])
    expect(late).toEqual([])
  })

  test('is switched over last, and says why, where the heir has to be repaired', () => {
    const astray = replica(100, { lag_bytes: null, resource: { error: 'it follows no server' } })
    const unconnected = replica(100, { lag_bytes: null })
    for (const heir of [astray, unconnected, down]) {
      const { handovers: found, late, notes } = decide({ servers: { a: primary, b: heir }, wanted: 'n1-b' })
      expect(found).toEqual([])
      expect(late).toMatchObject([{ how: 'switch-over', to: 'n1-b' }])
      expect(notes).toHaveLength(1)
    }
  })
})
