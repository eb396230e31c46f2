import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client } from '../../shared/api/client.ts'
import { openApi, type TestApi, token } from '../support/api.ts'
import { planOf, remodel } from '../support/plans.ts'

let api: TestApi
let losing: Server
let client: Client
/** Paths of which the first answer is lost. */
const lost = new Set<string>()

beforeAll(async () => {
  api = await openApi('a')
  // Carries out a request, and breaks the connection instead of answering: a planner that was killed between the two.
  losing = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method, url = '', headers } = request
    const payload = Buffer.concat(chunks)
    const answer = await api.server.inject({
      method: method as 'GET',
      url,
      headers,
      ...(payload.length > 0 && { payload }),
    })
    if (lost.delete(url)) return void request.socket.destroy()
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' }).end(answer.body)
  })
  await new Promise<void>((resolve) => losing.listen(0, '127.0.0.1', resolve))
  const { port } = losing.address() as { port: number }
  client = new Client({ url: `http://127.0.0.1:${port}`, source: 'option', redis: undefined, token })
})

afterAll(async () => {
  losing.closeAllConnections()
  losing.close()
  await api[Symbol.asyncDispose]()
})

/** Only on a connection that is kept does the command send a request again. */
async function losingTheAnswer<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  await client.info()
  lost.add(path)
  const result = await work()
  expect(lost.size).toBe(0)
  return result
}

describe('a request of the command whose answer was lost', () => {
  test('to apply a plan is answered as if it had come once', async () => {
    const { id } = await api.town.planning.plan(api.town.order('web'))
    const status = await losingTheAnswer(`/v1/plans/${id}/apply`, () => client.apply(id, {}))
    expect(status.state).toBe('running')
    await expect(client.apply(id, {})).rejects.toMatchObject({ code: 'conflict' })
  })

  test('to approve is answered as if it had come once, and is one decision', async () => {
    const approval = remodel('yes', [], { action: 'approve' })
    const { id } = await api.town.ledger.store(planOf('asks', [approval, remodel('b', ['yes'])]), Date.now())
    await client.apply(id, {})
    const decided = () => client.approve(id, 'yes', true)
    await losingTheAnswer(`/v1/plans/${id}/approvals`, decided)
    await expect(decided()).rejects.toMatchObject({ code: 'conflict' })
    const done = (await api.town.ledger.events('asks', 0)).filter(
      ({ remodel, type }) => remodel === 'yes' && type === 'remodel.done',
    )
    expect(done).toHaveLength(1)
  })
})
