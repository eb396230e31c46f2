import { describe, expect, test } from 'vitest'
import { InstanceAttributes } from '../../../kinds/database/inputs.ts'
import { accessRules, missingFollowRule, wayIn } from '../../../kinds/database/server/access.ts'
import { conninfo } from '../../../kinds/database/server/configuration.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { builtBy } from './built.ts'
import { documentOf } from './document.ts'
import { planOf } from './planned.ts'

const wish = { net: 80, nodes: { n1: 'ab', n2: 'c' } }
const withTls = (tls: unknown) => JSON.stringify({ ...JSON.parse(documentOf(wish)), tls })
const tlsIn = (plan: Plan) =>
  plan.remodels
    .filter(({ step }) => step === 'set-up-instance')
    .map(({ input }) => InstanceAttributes.parse((input as { instance: unknown }).instance).tls)

describe('TLS in the document of a database', () => {
  test('is on or required with a word or a boolean of YAML, and without the key as with `off` servers are set up as ever', async () => {
    const plain = await planOf(documentOf(wish))
    expect(tlsIn(plain)).toEqual([undefined, undefined, undefined])
    for (const mode of ['off', false]) expect((await planOf(withTls({ mode }))).remodels).toEqual(plain.remodels)
    for (const tls of [{}, { mode: 'on' }, { mode: true }])
      expect(tlsIn(await planOf(withTls(tls)))[0]).toEqual({ mode: 'on', days: 365 })
    const required = await planOf(withTls({ mode: 'required', certificate_days: 90 }))
    expect(tlsIn(required)).toEqual(Array(3).fill({ mode: 'required', days: 90 }))
  })

  test('decides which certificates servers have: settings that say so are refused beside it, and are the document’s own without it', async () => {
    const value = JSON.parse(documentOf({ ...wish, settings: { ssl_cert_file: 'own.crt' } }))
    await expect(planOf(JSON.stringify({ ...value, tls: { mode: 'on' } }))).rejects.toMatchObject({
      faults: [expect.objectContaining({ path: 'postgresql_conf.ssl_cert_file' })],
    })
    expect((await planOf(JSON.stringify(value))).remodels.length).toBeGreaterThan(0)
  })

  test('is shown with what it means for clients, and sets up every server, arranges every node and makes every link again', async () => {
    const actual = builtBy(await planOf(documentOf(wish)))
    const plan = await planOf(withTls({ mode: 'required' }), actual)
    expect(plan.consequences).toContain('clients that come without TLS are refused from then on: sessions stay')
    const steps = new Set(plan.remodels.map(({ step, material }) => `${step} ${material}`))
    for (const one of [
      'set-up-instance instance/n1-a',
      'arrange-node node/n1',
      'set-up-subscription subscription/n1:n2:shop',
    ])
      expect(steps).toContain(one)
  })
})

describe('with TLS required', () => {
  test.each(['clients', 'servers', 'peers'] as const)(
    'no rule for %s lets anyone in over the network in the clear',
    (to) => {
      const rules = accessRules(to, 'hostssl').split('\n')
      const open = rules.filter((rule) => rule.startsWith('host ') && !rule.endsWith(' reject'))
      expect(open).toEqual([])
      expect(wayIn(accessRules(to, 'hostssl'))).toBe('hostssl')
      expect(wayIn(accessRules(to, 'host'))).toBe('host')
    },
  )

  test('the rule that lets replicas in is missed where it lacks, and is no way in for those in the clear', () => {
    expect(missingFollowRule(accessRules('clients', 'hostssl'))).toBe(undefined)
    expect(missingFollowRule(accessRules('peers', 'hostssl'))).toMatch(/^hostssl replication /)
    expect(missingFollowRule(accessRules('peers', 'host'))).toMatch(/^host replication /)
  })
})

test('a link is checked by the CA and the name of its server once that has a certificate', () => {
  const servers = [{ instance: 'n1-a', vm: 'db-shop-a', address: '127.80.0.1', port: 5432 }]
  const of = { database: 'shop', name: 'x', wanted: 'any' as const }
  expect(conninfo(servers, { ...of, verified: true })).toMatch(/ sslmode=verify-full sslrootcert=\S+\/ca\.pem$/)
  expect(conninfo(servers, { ...of, verified: false })).not.toContain('sslmode')
})
