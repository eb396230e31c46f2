import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type TestApi, token } from '../support/api.ts'
import { planOf, remodel } from '../support/plans.ts'

let api: TestApi

beforeAll(async () => {
  api = await openApi('plans')
})
afterAll(() => api[Symbol.asyncDispose]())

async function ask(method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) {
  const headers = { authorization: `Bearer ${token}` }
  const answer = await api.server.inject({ method, url, headers, ...(payload && { payload }) })
  return { status: answer.statusCode, body: answer.json() }
}

async function applied(deployment: string, remodels: Parameters<typeof planOf>[1], state: string): Promise<string> {
  const { id } = await api.town.ledger.store(planOf(deployment, remodels), Date.now())
  expect(await ask('POST', `/v1/plans/${id}/apply`, {})).toMatchObject({ status: 202, body: { state } })
  return id
}

/** A plan that no worker takes: it holds its deployment. */
const open = (deployment: string) => applied(deployment, [remodel('work')], 'running')
/** A plan that waits for a person before it does anything. */
const waiting = (deployment: string) =>
  applied(deployment, [remodel('yes', [], { action: 'approve' }), remodel('work', ['yes'])], 'parked')

const stateOf = async (plan: string) => (await ask('GET', `/v1/plans/${plan}`)).body.status.state

describe('a lock', () => {
  test('that is taken by force ends its plan and no other, and frees the deployment', async () => {
    const [taken, left] = [await open('taken'), await open('left')]
    const [lock] = (await ask('GET', '/v1/locks?deployment=taken')).body
    expect(lock).toMatchObject({ resource: 'deployment/taken', plan: taken })
    expect((await ask('DELETE', `/v1/locks/${lock.id}`)).status).toBe(200)
    expect([await stateOf(taken), await stateOf(left)]).toEqual(['cancelled', 'running'])
    expect((await ask('GET', '/v1/locks?deployment=taken')).body).toEqual([])
    expect((await ask('GET', '/v1/locks?deployment=left')).body).toMatchObject([{ plan: left }])
  })

  test('is taken by its id alone: the name of its deployment ends nothing', async () => {
    const plan = await open('named')
    expect(await ask('DELETE', '/v1/locks/named')).toMatchObject({
      status: 404,
      body: { code: 'not-found', detail: 'there is no lock named' },
    })
    expect(await stateOf(plan)).toBe('running')
  })
})

describe('a plan', () => {
  test('whose approval is refused does nothing, and an answer to what does not wait is refused', async () => {
    const plan = await waiting('asks')
    const answer = (given: object) => ask('POST', `/v1/plans/${plan}/approvals`, given)
    expect(await answer({ remodel: 'work', approve: true })).toMatchObject({ status: 409 })
    expect(await answer({ remodel: 'yes', aprove: true })).toMatchObject({ status: 422 })
    expect(await stateOf(plan)).toBe('parked')
    expect((await answer({ remodel: 'yes', approve: false })).status).toBe(200)
    await expect.poll(() => stateOf(plan)).not.toBe('parked')
    const { remodels } = (await ask('GET', `/v1/plans/${plan}`)).body
    expect(remodels.find(({ id }: { id: string }) => id === 'work')).toMatchObject({ state: 'skipped', attempt: 0 })
  })

  test('says what a remodel of it waits for', async () => {
    const plan = await waiting('why')
    expect((await ask('GET', `/v1/plans/${plan}/why?remodel=work`)).body.waitsFor).toEqual([
      expect.stringContaining('yes'),
    ])
  })

  test('that was cancelled begins nothing and is not applied again', async () => {
    const plan = await waiting('cancelled')
    expect(await ask('POST', `/v1/plans/${plan}/cancel`)).toMatchObject({ status: 202, body: { state: 'cancelled' } })
    expect((await ask('POST', `/v1/plans/${plan}/apply`, {})).status).toBe(409)
    expect(await stateOf(plan)).toBe('cancelled')
  })

  test('that does not exist is not found, whatever is asked of it', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/apply'],
      ['POST', '/cancel'],
    ] as const)
      expect(await ask(method, `/v1/plans/none${path}`, method === 'POST' ? {} : undefined)).toMatchObject({
        status: 404,
        body: { code: 'not-found' },
      })
  })
})
