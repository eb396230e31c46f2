import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EventFeed } from '../../services/planner/http/event-feed.ts'
import { eventRoutes } from '../../services/planner/http/routes/events.ts'
import type { Services } from '../../services/planner/http/services.ts'
import { Ledger, type LedgerEvent } from '../../shared/ledger/ledger.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let server: TestRedis
let redis: Redis
let ledger: Ledger
const settings = () => ({ url: server.url, prefix: 'test' })

beforeAll(async () => {
  server = await startRedis()
  redis = connectRedis(settings(), 'service')
  ledger = new Ledger(redis, settings())
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
})

/** Appends events as the ledger's scripts do. */
async function append(deployment: string, from: number, to: number, message = ''): Promise<void> {
  const pipeline = redis.pipeline()
  for (let seq = from; seq <= to; seq++) {
    const event = { seq, at: 1, type: 'remodel.progress', plan: 'p1', fence: '1234567890123456', message }
    pipeline.xadd(`${ledger.base(deployment)}:events`, `${seq}-0`, 'e', JSON.stringify(event))
  }
  await pipeline.exec()
}

async function follow(feed: EventFeed, deployment: string, until: number, start = 0): Promise<number[]> {
  const listener = feed.listen(deployment)
  const seen: LedgerEvent[] = []
  while ((seen.at(-1)?.seq ?? start) < until) seen.push(...(await listener.next(seen.at(-1)?.seq ?? start, 1000)))
  listener.end()
  expect(seen.every((event) => event.fence === 1234567890123456)).toBe(true)
  return seen.map((event) => event.seq)
}

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

describe('listeners to events', () => {
  test('of many deployments, who begin anywhere and at any time, see each event once and in order over one connection', async () => {
    const feed = new EventFeed(ledger)
    const names = ['a', 'b', 'c', 'd']
    for (const name of names) await append(name, 1, 300)
    const before = Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1])
    const early = names.flatMap((name) =>
      [0, 0, 150, 300].map((start) => ({ name, start, seen: follow(feed, name, 2000, start) })),
    )
    for (let seq = 301; seq <= 1500; seq += 100) {
      for (const name of names) await append(name, seq, seq + 99)
      await sleep(Math.random() * 20)
    }
    const late = names.map((name) => ({ name, start: 0, seen: follow(feed, name, 2000) }))
    const during = Number(/connected_clients:(\d+)/.exec(await redis.info('clients'))?.[1])
    for (const name of names) await append(name, 1501, 2000)
    for (const { start, seen } of [...early, ...late]) expect(await seen).toEqual(upTo(2000, start + 1))
    expect(during - before).toBeLessThanOrEqual(1)
    feed.close()
  })

  test('hear of an event of a deployment that is listened to since a moment: the read that waits is ended for it', async () => {
    const clients = () => redis.info('clients')
    // A reader of another test may be about to leave.
    await expect.poll(clients).toContain('blocked_clients:0')
    const feed = new EventFeed(ledger)
    const first = feed.listen('quiet')
    const waiting = first.next(0, 60_000)
    await expect.poll(clients).toContain('blocked_clients:1')
    const ended = async () =>
      Number(/cmdstat_client\|unblock:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)
    const before = await ended()
    const second = follow(feed, 'new', 1)
    await expect.poll(ended).toBe(before + 1)
    await append('new', 1, 1)
    expect(await second).toEqual([1])
    feed.close()
    expect(await waiting).toEqual([])
  })
})

describe('an event stream', () => {
  test('that its listener does not read takes no memory beyond a page, and goes on without a gap when it reads', async () => {
    const api = Fastify().withTypeProvider<ZodTypeProvider>()
    api.setValidatorCompiler(validatorCompiler)
    api.setSerializerCompiler(serializerCompiler)
    const outs: { writableLength: number }[] = []
    api.addHook('onRequest', async (_request, reply) => {
      outs.push(reply.raw)
    })
    eventRoutes(api, { ledger } as Services)
    await api.listen({ host: '127.0.0.1', port: 0 })
    await append('busy', 1, 20_000, 'x'.repeat(1000))
    const { port } = api.server.address() as { port: number }
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /v1/deployments/busy/events?follow=true HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await expect.poll(() => outs[0]?.writableLength).toBeGreaterThan(0)
    await sleep(300)
    expect(outs[0]!.writableLength).toBeLessThan(2 ** 20)
    const seen: number[] = []
    for await (const line of createInterface({ input: socket })) {
      if (line.startsWith('id: ')) seen.push(Number(line.slice(4)))
      if (seen.at(-1) === 20_000) break
    }
    expect(seen).toEqual(upTo(20_000))
    socket.destroy()
    await api.close()
  })
})
