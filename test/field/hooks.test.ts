import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StepInput } from '../../kinds/deployment/inputs.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { startServices, type TestStack } from '../support/services.ts'
import { after, FieldPlans, fieldCase } from './case.ts'
import { FieldDeploys } from './deploying.ts'

const background = fieldCase('B08')
const states = fieldCase('B07')

/** Its child sleeps for ten minutes, longer than any of these tests may take. */
describe.skipIf(!background)('a hook that leaves a child behind, which keeps its output open,', () => {
  let stack: TestStack
  let field: FieldDeploys
  beforeAll(async () => {
    stack = await startServices()
    const client = stack.client()
    await client.addStemcell({ name: 'local', os: 'local', version: '1' })
    field = await FieldDeploys.open(client, background!)
  })
  afterAll(() => stack?.stop())

  test.each([
    ['pre-start', 'pre.yml', 'hookpre'],
    ['post-start', 'post.yml', 'hookpost'],
  ])(
    'is over when it is over itself: %s',
    async (hook, manifest, deployment) => {
      expect(await field.deploy(manifest)).toBe('done')
      const name = deployment.replace('hook', '')
      const log = await stack.client().exec(deployment, 'web/0', { argv: ['ls', `/var/vcap/sys/log/${name}`] })
      expect(log.stdout.split('\n')).toContain(`${hook}.stdout.log`)
    },
    150_000,
  )

  test('is over when it is over itself: drain, where the machine is made anew and where the deployment goes', async () => {
    expect(await field.deploy('drain.yml')).toBe('done')
    expect(await field.deploy('drain.yml', { recreate: true })).toBe('done')
    expect(await field.remove('hookdrain')).toBe('done')
  }, 300_000)

  test('is not run where its deployment is removed without draining', async () => {
    await field.deploy('drain.yml')
    const { plan } = await stack.client().planRemoval('hookdrain', { skipDrain: true })
    expect(plan.remodels.find(({ step }) => step === 'stop-instance')?.input).toMatchObject({ skipDrain: true })
  }, 150_000)
})

describe.skipIf(!states)('scripts of an instance that is stopped hear what comes', () => {
  let plans: FieldPlans
  beforeAll(async () => {
    plans = await FieldPlans.open(states!)
  })
  afterAll(() => plans?.close())

  const stops = (plan: Plan) =>
    plan.remodels
      .filter(({ step }) => step === 'stop-instance')
      .map(({ input }) => input as unknown as StepInput<'stop-instance'>)

  test('when the group becomes smaller, when machines are made anew, and when the deployment goes', async () => {
    const releases = [await plans.release('release')]
    const two = after(await plans.plan('two.yml', { releases }))
    const smaller = await plans.plan('one.yml', { releases, floorplan: two })
    expect(stops(smaller)).toMatchObject([
      { instance: 'web/1', next: { vm: 'delete', instance: 'delete', deployment: 'keep' } },
    ])
    const floorplan = after(smaller, two)
    const anew = await plans.plan('one.yml', { releases, floorplan }, { recreate: true })
    expect(stops(anew)).toMatchObject([
      {
        next: { vm: 'delete', instance: 'keep', deployment: 'keep' },
        drain: ['job_shutdown', 'hash_unchanged'],
      },
    ])
    const gone = await plans.plan('one.yml', { releases, floorplan: after(anew, floorplan) }, { remove: true })
    expect(stops(gone)).toMatchObject([{ next: { vm: 'delete', instance: 'delete', deployment: 'delete' } }])
  })
})
