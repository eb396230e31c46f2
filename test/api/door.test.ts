import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import http from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BoardVisits } from '../../services/planner/http/board/visits.ts'
import { listenAddress } from '../../services/planner/http/listen.ts'
import { enqueueDeploy } from '../../shared/api/enqueue.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { localUser } from '../../shared/runtime/local-user.ts'
import { isLoopback } from '../../shared/runtime/loopback.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { person } from '../support/actors.ts'
import { planOf, remodel } from '../support/plans.ts'
import { startServices, type TestStack } from '../support/services.ts'

let stack: TestStack
let port: number
let token: string
const given = process.env.REMODEL_TOKEN

beforeAll(async () => {
  // The planner makes its own, as at its first start.
  delete process.env.REMODEL_TOKEN
  stack = await startServices({ planner: 1 }, { REMODEL_HOSTS: 'Remodel.Example, other.example' })
  port = Number(new URL(stack.client().address.url).port)
  token = readFileSync(join(stack.home, 'token'), 'utf8').trim()
})
afterAll(async () => {
  process.env.REMODEL_TOKEN = given
  await stack?.stop()
})

interface Asked {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string
  socket?: boolean
}

/** One request as it is given, `host` too. Of an event stream only the head is read. */
async function ask({ method = 'GET', path = '/v1/info', headers = {}, body, socket }: Asked) {
  const where = socket ? { socketPath: join(stack.home, 'planner.sock') } : { host: '127.0.0.1', port }
  const request = http.request({
    ...where,
    method,
    path,
    headers: { host: `127.0.0.1:${port}`, ...headers },
    agent: false,
  })
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve)
    request.once('error', reject)
    request.end(body)
  })
  const stream = response.headers['content-type']?.startsWith('text/event-stream')
  const answer = stream ? '' : await text(response)
  request.destroy()
  return { status: response.statusCode ?? 0, headers: response.headers, body: answer }
}

const known = () => ({ authorization: `Bearer ${token}` })
/** Of each kind of route: reading, changing with and without a body, the board, a stream, what is no route. */
const routes: Asked[] = [
  { path: '/v1/info' },
  { path: '/v1/openapi.json' },
  { method: 'POST', path: '/v1/deployments/web/removal' },
  { method: 'POST', path: '/v1/plans/p1/cancel' },
  {
    method: 'POST',
    path: '/v1/deployments/web/instances/web/0/exec',
    headers: { 'content-type': 'application/json' },
    body: '{"argv":["id"]}',
  },
  {
    method: 'PUT',
    path: `/v1/blobs/sha256:${'0'.repeat(64)}`,
    headers: { 'content-type': 'application/octet-stream' },
    body: 'x',
  },
  { path: '/v1/deployments/web/events?follow=true' },
  { path: '/board' },
  { path: '/board/api/queues' },
  { path: '/board/static/favicon.ico' },
  { path: '/nowhere' },
  { method: 'OPTIONS', path: '/v1/info' },
]
const names = routes.map(({ method = 'GET', path }) => [`${method} ${path}`, path, method] as const)
const find = (path?: string, method?: string) =>
  routes.find((one) => one.path === path && (one.method ?? 'GET') === method)!

describe.each(names)('%s', (_name, path, method) => {
  const route = find(path, method)

  test('is refused under a name that is not the planner’s, also with the token and through the socket', async () => {
    for (const host of [
      'evil.example.com',
      'evil.example.com:7070',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      'evil@localhost',
      '[]',
    ]) {
      const asked = { ...route, headers: { ...route.headers, ...known(), host } }
      expect([host, (await ask(asked)).status]).toEqual([host, 403])
      expect([host, (await ask({ ...asked, socket: true })).status]).toEqual([host, 403])
    }
  })

  test('is refused to a page of another origin, also with the token', async () => {
    for (const origin of [
      'http://evil.example.com',
      'null',
      'http://127.0.0.1:1',
      'http://127.0.0.2:7070',
      'file://',
      'chrome-extension://x',
    ]) {
      const { status } = await ask({ ...route, headers: { ...route.headers, ...known(), origin } })
      expect([origin, status]).toEqual([origin, 403])
    }
  })

  test('is refused without the token, and with another one', async () => {
    const wrong = ['', 'Bearer', `Bearer ${token.slice(1)}`, `Bearer ${token}x`, `Basic ${token}`, token]
    for (const authorization of wrong) {
      const headers = { ...route.headers, ...(authorization ? { authorization } : {}) }
      const { status, headers: answered } = await ask({ ...route, headers })
      expect([authorization, status, answered['www-authenticate']]).toEqual([authorization, 401, 'Bearer'])
    }
  })

  test('is reached with the token by every name of the planner, and through the socket without it', async () => {
    for (const host of [`127.0.0.1:${port}`, 'LOCALHOST', '[::1]:1', 'remodel.example', 'other.example:443']) {
      const { status } = await ask({ ...route, headers: { ...route.headers, ...known(), host } })
      expect([host, [401, 403].includes(status)]).toEqual([host, false])
    }
    expect([401, 403]).not.toContain((await ask({ ...route, socket: true })).status)
  })

  test('answers with headers that keep other pages from framing and guessing it', async () => {
    for (const headers of [known(), {}]) {
      const answered = (await ask({ ...route, headers: { ...route.headers, ...headers } })).headers
      expect(answered).toMatchObject({
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'referrer-policy': 'no-referrer',
      })
    }
  })
})

describe('a browser', () => {
  test('that asks for another site changes nothing, also where the request has no body', async () => {
    for (const site of ['cross-site', 'same-site']) {
      const headers = { ...known(), 'sec-fetch-site': site }
      expect((await ask({ method: 'POST', path: '/v1/deployments/web/removal', headers })).status).toBe(403)
    }
    const own = { ...known(), 'sec-fetch-site': 'same-origin', origin: `http://127.0.0.1:${port}` }
    expect((await ask({ method: 'POST', path: '/v1/deployments/web/removal', headers: own })).status).toBe(404)
  })

  test('sees the board by a link that opens once, and may do nothing else with what it got', async () => {
    const { body, status } = await ask({ method: 'POST', path: '/v1/board-keys', socket: true })
    expect(status).toBe(201)
    const { path } = JSON.parse(body) as { path: string }
    // A look ahead does not use it up.
    expect((await ask({ method: 'HEAD', path })).status).toBe(401)
    const entered = await ask({ path })
    expect(entered.status).toBe(200)
    const [set = ''] = entered.headers['set-cookie'] ?? []
    expect(set).toMatch(/; Path=\/board; Max-Age=\d+; HttpOnly; SameSite=Strict$/)
    expect((await ask({ path })).status).toBe(401)
    expect((await ask({ path: '/board/enter?key=guess' })).status).toBe(401)

    const [cookie = ''] = set.split(';')
    for (const page of ['/board', '/board/api/queues'])
      expect((await ask({ path: page, headers: { cookie } })).status).toBe(200)
    expect((await ask({ path: '/v1/info', headers: { cookie } })).status).toBe(401)
    expect((await ask({ path: '/board/../v1/info', headers: { cookie } })).status).toBe(401)
    expect((await ask({ method: 'PUT', path: '/board/api/queues/deploys/pause', headers: { cookie } })).status).toBe(
      401,
    )
    const [end = '', signature = ''] = cookie.replace('remodel-board=', '').split('.')
    for (const forged of [`${Number(end) + 1}.${signature}`, `${end}.`, `${end}.${signature.slice(1)}`, 'x']) {
      expect((await ask({ path: '/board', headers: { cookie: `remodel-board=${forged}` } })).status).toBe(401)
    }
  })

  test('loses what it got after twelve hours, and a link after two minutes', () => {
    let now = 0
    const visits = new BoardVisits('t'.repeat(32), () => now)
    const late = visits.key()!
    now += 120_001
    expect(visits.enter(late)).toBeUndefined()
    const [cookie = ''] = visits.enter(visits.key()!)!.split(';')
    expect(visits.opens('/board/', cookie)).toBe(true)
    expect(new BoardVisits('u'.repeat(32), () => now).opens('/board/', cookie)).toBe(false)
    now += 12 * 3600_000
    expect(visits.opens('/board/', cookie)).toBe(false)
    expect(new BoardVisits(undefined).key()).toBeUndefined()
  })

  test('is sent to no other server by the board', async () => {
    const { body } = await ask({ path: '/board', headers: known() })
    expect(body).toContain('<title>Remodel</title>')
    expect(body).not.toMatch(/(href|src)="?(https?:)?\/\//)
    const styles = [...body.matchAll(/href="([^"]*\.css)"/g)].map(([, path]) => path)
    expect(styles).not.toEqual([])
    for (const style of styles) {
      const css = await ask({ path: `/board/${style}`, headers: known() })
      expect(css.body).not.toMatch(/url\(["']?(https?:)?\/\//)
    }
  })
})

describe('the board', () => {
  test('shows what an order deploys, and no value that may be a secret', async () => {
    const secrets = [
      'hunter2-properties',
      'hunter2-harmless',
      'hunter2-variable',
      'hunter2-user',
      'hunter2-cloud',
      'hunter2-message',
      'hunter2-comment',
    ]
    const content = `name: shop # ${secrets[6]}
kind: database
properties: {db: {password: ${secrets[0]}, name: ${secrets[1]}}}
variables: [{name: v, type: password, value: ${secrets[2]}}]
database_users: [{username: app, password: ${secrets[3]}, db_owner: ${secrets[5]}}]
instance_groups: [{name: web, instances: 2, env: {name: ${secrets[0]}}, jobs: [{name: j, properties: [${secrets[0]}]}]}]
`
    const order = {
      manifest: { name: 'shop.yml', content },
      cloudConfigs: [{ name: 'cloud.yml', content: `azs: [{name: z1, cloud_properties: {name: ${secrets[4]}}}]` }],
    }
    await enqueueDeploy({ redisUrl: stack.redis.url, ...order })
    const broken = { name: 'broken.yml', content: `name: ${secrets[0]}: {\npassword: ${secrets[0]}` }
    await enqueueDeploy({ redisUrl: stack.redis.url, manifest: broken })
    const look = async () =>
      (
        await ask({
          path: '/board/api/queues?activeQueue=deploys&status=latest&page=1&jobsPerPage=10',
          headers: known(),
        })
      ).body
    await expect.poll(look, { timeout: 20_000 }).toContain('"failedReason":"')
    await expect.poll(async () => (await look()).match(/failedReason":"[^"]/g)?.length, { timeout: 20_000 }).toBe(2)
    const shown = await look()
    expect(secrets.filter((secret) => shown.includes(secret))).toEqual([])
    const jobs = JSON.parse(shown).queues.find((queue: { name: string }) => queue.name === 'deploys').jobs
    const seen = jobs.find((job: { data: { manifest: { name: string } } }) => job.data.manifest.name === 'shop.yml')
      .data.manifest.content
    expect(seen).toMatchObject({
      name: 'shop',
      properties: '***',
      database_users: [{ username: 'app', password: '***' }],
    })
    expect(seen.instance_groups).toMatchObject([
      { name: 'web', instances: 2, env: '***', jobs: [{ name: 'j', properties: ['***'] }] },
    ])
    for (const { id } of jobs) {
      const one = await ask({ path: `/board/api/queues/deploys/${id}`, headers: known() })
      expect(one.status).toBe(200)
      expect(secrets.filter((secret) => one.body.includes(secret))).toEqual([])
    }
  })
})

describe('what a caller sends wrongly', () => {
  test('is 422 and names the place: an id of an event, a bomb of aliases', async () => {
    for (const id of ['abc', '-1', '1.5', '99999999999999999999']) {
      const headers = { ...known(), 'last-event-id': id }
      expect([id, (await ask({ path: '/v1/deployments/web/events', headers })).status]).toEqual([id, 422])
      expect([id, (await ask({ path: '/v1/deployments/web/events?follow=true', headers })).status]).toEqual([id, 422])
    }
    const lines = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(', ')}]`)
    const content = ['a0: &a0 [x]', ...lines].join('\n')
    const body = JSON.stringify({ manifest: { name: 'bomb.yml', content } })
    const bomb = await ask({
      method: 'POST',
      path: '/v1/plans',
      headers: { ...known(), 'content-type': 'application/json' },
      body,
    })
    expect([bomb.status, JSON.parse(bomb.body).code]).toEqual([422, 'invalid-input'])
  })
})

describe('a refused caller', () => {
  test('does not hold a connection with a body that it never sends', async () => {
    const socket = connect(port, '127.0.0.1')
    const said = text(socket)
    socket.write(
      'PUT /v1/cloud-config HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
    )
    await once(socket, 'close')
    expect(await said).toMatch(/^HTTP\/1\.1 401 /)
  })
})

describe('the home of a planner', () => {
  test('is open to its owner only, and so are its socket and its token', () => {
    expect(statSync(stack.home).mode & 0o777).toBe(0o700)
    for (const name of ['token', 'planner.sock'])
      expect([name, statSync(join(stack.home, name)).mode & 0o777]).toEqual([name, 0o600])
    expect(token.length).toBeGreaterThan(40)
  })
})

describe('who asks', () => {
  let redis: Redis
  beforeAll(() => {
    redis = connectRedis({ url: stack.redis.url, prefix: 'remodel' }, 'service')
  })
  afterAll(() => redis.disconnect())

  /** Whom the ledger names for a plan that was cancelled by this request. */
  async function cancelledBy(name: string, asked: Asked) {
    const ledger = new Ledger(redis, { url: stack.redis.url, prefix: 'remodel' })
    const plan = planOf(name, [remodel('sure?', [], { action: 'approve', deadlineSeconds: 1000 })])
    await ledger.store(plan, 1)
    await ledger.open(name, plan.id, { by: person('ann'), message: '' })
    const { status } = await ask({ ...asked, method: 'POST', path: `/v1/plans/${plan.id}/cancel` })
    expect(status).toBe(202)
    return (await ledger.events(name, 0)).find(({ type }) => type === 'plan.cancelling')?.by
  }
  const said = (user: string, client = 'cli') => ({
    'x-remodel-user': encodeURIComponent(user),
    'x-remodel-client': client,
  })

  test('through the socket is the user of the planner, whatever the request says', async () => {
    const socket = { socket: true }
    expect(await cancelledBy('s1', { ...socket, headers: said('root@elsewhere') })).toEqual({
      kind: 'person',
      name: localUser(),
      via: 'cli',
    })
    expect(await cancelledBy('s2', socket)).toEqual({ kind: 'person', name: localUser(), via: 'http' })
  })

  test('over TCP is the token, with the user that the request says', async () => {
    const token = (headers: Record<string, string>) => ({ headers: { ...known(), ...headers } })
    const named = await cancelledBy('t1', token(said('jürgen@büro')))
    expect(named).toEqual({ kind: 'token', name: 'jürgen@büro', via: 'cli' })
    const unnamed = { kind: 'token', name: 'unnamed', via: 'http' }
    expect(await cancelledBy('t2', token({}))).toEqual(unnamed)
    for (const [i, wrong] of ['%', '%0A', '%00', encodeURIComponent('x'.repeat(301)), ''].entries())
      expect(await cancelledBy(`t3-${i}`, token({ 'x-remodel-user': wrong, 'x-remodel-client': 'board' }))).toEqual(
        unnamed,
      )
  })
})

describe('listening', () => {
  test('beyond this computer is refused without a token that was given on purpose', async () => {
    for (const host of ['0.0.0.0:0', '[::]:0']) {
      await expect(stack.start('planner', { REMODEL_LISTEN: host })).rejects.toThrow(
        'which other computers can reach: give a token',
      )
    }
    await expect(stack.start('planner', { REMODEL_LISTEN: '0.0.0.0:0', REMODEL_TOKEN: 'short' })).rejects.toThrow(
      'at least 32 characters',
    )
  })

  test('knows what is this computer, and reads an address with its port', () => {
    for (const host of ['127.0.0.1', '127.44.1.10', 'localhost', '::1', '[::1]', 'LocalHost'])
      expect([host, isLoopback(host)]).toEqual([host, true])
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'localhost.example', '127.0.0.1.example', ''])
      expect([host, isLoopback(host)]).toEqual([host, false])
    expect(listenAddress(undefined)).toEqual({ host: '127.0.0.1', port: 7070 })
    expect(listenAddress('[::1]:7071')).toEqual({ host: '::1', port: 7071 })
    for (const wrong of ['127.0.0.1', ':7070', '::1:7070', 'a:b', 'a:99999'])
      expect(() => listenAddress(wrong)).toThrow('REMODEL_LISTEN')
  })
})
