import { expect, test } from 'vitest'
import { promote } from '../../../kinds/database/plan/promote.ts'
import { restart } from '../../../kinds/database/plan/restart.ts'
import type { ActualMaterial, Attributes } from '../../../shared/model/material.ts'
import { builtBy } from './built.ts'
import { planOf } from './planned.ts'

const primary: Attributes = { health: 'running', role: 'primary', received: 900, timeline: 1, started: '7.5' }
const replica = (more: Attributes = {}): Attributes => ({
  health: 'running',
  role: 'replica',
  received: 900,
  timeline: 1,
  lag_bytes: 0,
  slots: ['remodel_n1_n2'],
  started: '8.5',
  ...more,
})

/** Node n1 on a, b and c, node n2 on d and e, as the inspector finds them; `seen`: what it finds otherwise. */
async function actual(seen: Record<string, Attributes> = {}) {
  const found: Record<string, Attributes> = {
    'instance/n1-a': primary,
    'instance/n1-b': replica(),
    'instance/n1-c': replica(),
    'instance/n2-d': primary,
    'instance/n2-e': replica({ slots: ['remodel_n2_n1'] }),
    ...seen,
  }
  const built = builtBy(await planOf({ net: 80, nodes: { n1: 'abc', n2: 'de' } }))
  const materials = built.map((one): ActualMaterial => ({ ...one, meta: { ...one.meta, ...found[one.id] } }))
  return { deployment: 'shop', version: 1, materials }
}

const order = (server: string) => ({ server, acceptLoss: false })

test('a replica that follows is switched over to, and the plan says what that means', async () => {
  const { remodels, consequences } = promote(await actual(), order('n1-b'))
  expect(remodels).toMatchObject([
    {
      step: 'switch-over',
      material: 'node/n1',
      reasons: [{ code: 'asked-for' }],
      input: { to: 'n1-b', synchronous: true },
    },
  ])
  expect(consequences).toEqual(['n1-b takes over from n1-a: no writes on n1 for about 1 s, and sessions with n1-a end'])
})

test('one that is the primary already is left alone', async () => {
  const { remodels, notes } = promote(await actual(), order('n1-a'))
  expect([remodels, notes]).toEqual([[], ['n1-a is the primary of n1 already']])
})

test('one that does not follow, is far behind, or is not there is refused with the way out', async () => {
  const astray = await actual({ 'instance/n1-b': replica({ lag_bytes: null }) })
  expect(() => promote(astray, order('n1-b'))).toThrow(/n1-b follows no server, so n1-b cannot take over: deploy/)
  const behind = await actual({ 'instance/n1-b': replica({ lag_bytes: 2 ** 30 }) })
  expect(() => promote(behind, order('n1-b'))).toThrow(/n1-b is 1073741824 bytes behind n1-a/)
  expect(() => promote(behind, order('n1-c'))).not.toThrow()
  const nowhere = await actual()
  expect(() => promote(nowhere, order('n1-x'))).toThrow(/shop has no server n1-x; did you mean n1-/)
})

test('where the machine of the primary is gone it is a fail-over, to the one that has most only', async () => {
  const lost: Record<string, Attributes> = {
    'instance/n1-a': { health: 'down' },
    'host/a': { health: 'missing', disk: 'there' },
    'instance/n1-b': replica({ received: 800 }),
  }
  expect(promote(await actual(lost), order('n1-c')).remodels).toMatchObject([
    { step: 'fail-over', input: { to: 'n1-c', acceptLoss: false } },
  ])
  const less = await actual(lost)
  expect(() => promote(less, order('n1-b'))).toThrow('remodel promote shop n1-c')
})

test('a node that a deploy has not finished is refused', async () => {
  const draining = await actual({ 'node/n2': { drain: 'stopped' } })
  expect(() => promote(draining, order('n2-e'))).toThrow('the writes of n2 were stopped')
  expect(() => restart(draining, { parts: ['n2'], switchOver: false })).toThrow('the writes of n2 were stopped')
  const filling = await actual()
  const source = { type: 'database.roles_source', id: 'n2' }
  filling.materials.push({
    id: 'roles_source/n2',
    attributes: { source_node_name: 'n1' },
    needs: [],
    meta: { resource: { identifier: source, needs_recreate: false, error: '' } as never },
  })
  expect(() => promote(filling, order('n2-e'))).toThrow('n2 is being filled from another node')
})

test('a restart takes one server after the other, of each node its primary last', async () => {
  const { remodels, consequences } = restart(await actual(), { parts: [], switchOver: false })
  expect(remodels.map(({ material }) => material)).toEqual(
    ['n1-b', 'n1-c', 'n1-a', 'n2-e', 'n2-d'].map((server) => `instance/${server}`),
  )
  expect(remodels.map(({ needs }) => needs)).toEqual([[], ...remodels.slice(0, -1).map(({ id }) => [id])])
  expect(remodels[0]!.input).toMatchObject({ started: '8.5', member: { instance: 'n1-b' } })
  expect(consequences).toEqual([
    'n1-b restarts once: only its own sessions end',
    'n1-c restarts once: only its own sessions end',
    'n1-a restarts once: no writes on n1 for about 1 s, and its sessions end',
    'n2-e restarts once: writes on n2 wait for it, for about 1 s',
    'n2-d restarts once: no writes on n2 for about 1 s, and its sessions end',
  ])
})

test('with a switch-over the primary hands over to a replica that was restarted before', async () => {
  const { remodels } = restart(await actual(), { parts: ['n2'], switchOver: true })
  expect(remodels).toMatchObject([
    { step: 'restart-server', material: 'instance/n2-e' },
    { step: 'switch-over', material: 'node/n2', input: { to: 'n2-e' }, needs: ['restart-server instance/n2-e'] },
  ])
})

test('a restart of one server is of that one; unknown parts and machines that are gone are refused', async () => {
  const all = await actual({ 'host/d': { health: 'missing' } })
  const of = (...parts: string[]) => restart(all, { parts, switchOver: false }).remodels.map(({ material }) => material)
  expect(of('n1-c')).toEqual(['instance/n1-c'])
  expect(() => of('n3')).toThrow('shop has no node or server n3; did you mean')
  expect(() => of('n2-d')).toThrow('the machine of n2-d is gone')
})
