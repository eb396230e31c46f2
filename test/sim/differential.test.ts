import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FenceSource } from '../../shared/ledger/fences.ts'
import { graphOf } from '../../shared/ledger/graph.ts'
import { scriptsOn } from '../../shared/ledger/scripts.ts'
import { connectRedis } from '../../shared/runtime/redis.ts'
import { Clocks } from '../support/clock.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { drawPlan } from './plans.ts'
import { Random } from './random.ts'
import { LuaMachine } from './redis/lua.ts'
import { commandNames, type Reply, ReplyError, Status } from './redis/model.ts'
import { RedisServer } from './redis/server.ts'

let server: TestRedis
let redis: Redis
let lua: LuaMachine
let runId: string
let folder: string
let clocks: Clocks
/** The clock of both servers: it stays where it is until a test moves it. */
let now = 1_800_000_000_000

async function pass(ms: number): Promise<void> {
  now += ms
  await clocks.stop('redis', now)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'remodel-clocks-'))
  clocks = await Clocks.open(folder)
  await pass(0)
  server = await startRedis([], clocks.env('redis'))
  redis = connectRedis({ url: server.url, prefix: 'test' }, 'service')
  lua = await LuaMachine.create()
  runId = /run_id:(\w+)/.exec(await redis.info('server'))![1]!
})

afterAll(async () => {
  redis.disconnect()
  await server.stop()
  await rm(folder, { recursive: true })
})

beforeEach(() => redis.flushall())

/** Both servers get the same; what they answer and what they then hold must be the same. */
class Both {
  readonly model = new RedisServer(lua, () => now)

  constructor() {
    this.model.runId = runId
  }

  async run(name: string, ...args: (string | number)[]): Promise<unknown> {
    const words = args.map(String)
    const ours = plain(this.model.run(name, words), name)
    const theirs = await redis.call(name, ...words).then(
      (reply) => plain(listed(reply as Reply, name), name),
      (error: Error) => `error ${error.message.split(' ')[0]}`,
    )
    expect(ours, `${name} ${words.map((text) => text.slice(-150)).join(' ')}`).toEqual(theirs)
    return ours
  }

  async state(): Promise<void> {
    const keys = (await redis.keys('*')).sort()
    expect(this.model.model.keys()).toEqual(keys)
    for (const key of keys) {
      const type = await redis.type(key)
      const [name, ...args] = {
        string: ['GET', key],
        hash: ['HGETALL', key],
        set: ['SMEMBERS', key],
        list: ['LRANGE', key, '0', '-1'],
        zset: ['ZRANGE', key, '0', '-1'],
        stream: ['XREAD', 'STREAMS', key, '0-0'],
      }[type]!
      await this.run(name!, ...args)
      if (type === 'zset')
        for (const member of await redis.zrange(key, '0', '-1')) await this.run('ZSCORE', key, member)
    }
  }
}

/** A stream's reply comes as a map in the newer protocol. */
function listed(reply: Reply, name: string): Reply {
  return name === 'XREAD' && Array.isArray(reply) && typeof reply[0] === 'string' ? [reply] : reply
}

/** Replies side by side: unordered where Redis promises no order, JSON by what it says. */
function plain(reply: Reply, name: string): unknown {
  if (reply instanceof ReplyError) return `error ${reply.message.split(' ')[0]}`
  if (reply instanceof Status) return reply.text
  if (Array.isArray(reply)) {
    const items = reply.map((item) => plain(item, name === 'ZMSCORE' ? name : ''))
    if (name === 'HGETALL')
      return Object.fromEntries(reply.flatMap((_, i) => (i % 2 ? [] : [[items[i], items[i + 1]]])))
    if (['SMEMBERS', 'HKEYS', 'HVALS'].includes(name)) return items.map((item) => JSON.stringify(item)).sort()
    return items
  }
  // Redis writes a score with 17 digits, the model with as many as it takes.
  if (['ZSCORE', 'ZMSCORE'].includes(name) && reply !== null) return Number(reply)
  return said(reply)
}

/** A piece of JSON by what it says, also where it lies as text in another one. */
function said(value: unknown): unknown {
  if (typeof value === 'string') return /^[[{]/.test(value) ? said(JSON.parse(value)) : value
  if (Array.isArray(value)) return value.map(said)
  if (value && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, said(one)]))
  return value
}

/** A random call of each command, on few keys so that types and members meet. */
const draw: Record<string, (random: Random) => (string | number)[]> = {}
const key = (random: Random, type: string) =>
  random.chance(0.04) ? `${random.pick(['h', 's', 'z', 'l', 'v'])}0` : `${type}${random.int(0, 2)}`
const word = (random: Random) => random.pick(['a', 'b', 'c', 'd', 'é', '', '7', '-3', '1.5'])
const score = (random: Random) => random.pick([-2, 0, 1, 1, 3.5, 1700000000000])
const several = <T>(random: Random, make: () => T) => Array.from({ length: random.int(1, 3) }, make)
const range = (random: Random) => [random.int(-4, 3), random.int(-4, 3)]
const bounds = (random: Random) => [random.pick(['-inf', '0', '1']), random.pick(['+inf', '1', '3.5'])]
const limit = (random: Random) => (random.chance(0.5) ? ['LIMIT', random.int(0, 2), random.int(0, 3)] : [])
Object.assign(draw, {
  PING: () => [],
  GET: (r: Random) => [key(r, 'v')],
  MGET: (r: Random) => several(r, () => key(r, 'v')),
  SET: (r: Random) => [
    key(r, 'v'),
    word(r),
    ...r.pick([[], [], ['NX'], ['PX', 100_000], ['EX', 100], ['PX', 100_000, 'NX']]),
  ],
  INCR: (r: Random) => [key(r, 'v')],
  DEL: (r: Random) => several(r, () => key(r, r.pick(['v', 'h', 's', 'z', 'l']))),
  UNLINK: (r: Random) => [key(r, r.pick(['v', 'h', 's', 'z', 'l']))],
  EXISTS: (r: Random) => several(r, () => key(r, r.pick(['v', 'h']))),
  EXPIRE: (r: Random) => [key(r, 'h'), 100],
  PEXPIRE: (r: Random) => [key(r, 'v'), ...r.pick<(string | number)[]>([[100_000], [50_000, 'LT']])],
  PERSIST: (r: Random) => [key(r, 'v')],
  HSET: (r: Random) => [key(r, 'h'), ...several(r, () => [word(r), word(r)]).flat()],
  HSETNX: (r: Random) => [key(r, 'h'), word(r), word(r)],
  HGET: (r: Random) => [key(r, 'h'), word(r)],
  HMGET: (r: Random) => [key(r, 'h'), ...several(r, () => word(r))],
  HGETALL: (r: Random) => [key(r, 'h')],
  HDEL: (r: Random) => [key(r, 'h'), ...several(r, () => word(r))],
  HEXISTS: (r: Random) => [key(r, 'h'), word(r)],
  HLEN: (r: Random) => [key(r, 'h')],
  HKEYS: (r: Random) => [key(r, 'h')],
  HVALS: (r: Random) => [key(r, 'h')],
  HINCRBY: (r: Random) => [key(r, 'h'), word(r), r.int(-3, 3)],
  SADD: (r: Random) => [key(r, 's'), ...several(r, () => word(r))],
  SREM: (r: Random) => [key(r, 's'), ...several(r, () => word(r))],
  SMEMBERS: (r: Random) => [key(r, 's')],
  SCARD: (r: Random) => [key(r, 's')],
  SISMEMBER: (r: Random) => [key(r, 's'), word(r)],
  ZADD: (r: Random) => [
    key(r, 'z'),
    ...r.pick([[], ['NX'], ['XX'], ['GT'], ['LT'], ['XX', 'LT']]),
    ...several(r, () => [score(r), word(r)]).flat(),
  ],
  ZREM: (r: Random) => [key(r, 'z'), ...several(r, () => word(r))],
  ZCARD: (r: Random) => [key(r, 'z')],
  ZSCORE: (r: Random) => [key(r, 'z'), word(r)],
  ZMSCORE: (r: Random) => [key(r, 'z'), ...several(r, () => word(r))],
  ZRANGE: (r: Random) => [key(r, 'z'), ...range(r)],
  ZREVRANGE: (r: Random) => [key(r, 'z'), ...range(r)],
  ZRANGEBYSCORE: (r: Random) => [key(r, 'z'), ...bounds(r), ...limit(r)],
  ZREVRANGEBYSCORE: (r: Random) => [key(r, 'z'), ...bounds(r).reverse(), ...limit(r)],
  ZREMRANGEBYSCORE: (r: Random) => [key(r, 'z'), ...bounds(r)],
  RPUSH: (r: Random) => [key(r, 'l'), ...several(r, () => word(r))],
  LPUSH: (r: Random) => [key(r, 'l'), ...several(r, () => word(r))],
  LPOP: (r: Random) => [key(r, 'l')],
  LRANGE: (r: Random) => [key(r, 'l'), ...range(r)],
  LLEN: (r: Random) => [key(r, 'l')],
  XADD: (r: Random) => [key(r, 'x'), `${r.int(1, 60)}-0`, 'e', word(r)],
  XREAD: (r: Random) => ['COUNT', r.int(1, 5), 'STREAMS', key(r, 'x'), `${r.int(0, 30)}-0`],
})

describe('the model of Redis and a real one', () => {
  test('are compared by every command that the model has', () => {
    expect(Object.keys(draw).sort()).toEqual(commandNames.filter((name) => name !== 'TIME').sort())
  })

  test.for([1, 2, 3, 4])('answer and hold the same after random commands, seed %i', async (seed) => {
    const random = new Random(seed)
    const both = new Both()
    const names = Object.keys(draw)
    for (let i = 0; i < 1500; i++) {
      const name = random.pick(names)
      await both.run(name, ...draw[name]!(random))
    }
    await both.state()
  })

  test.for(Array.from({ length: 25 }, (_, i) => i))(
    'do the same with every script of the ledger, seed %i',
    async (seed) => {
      const random = new Random(1000 + seed)
      const both = new Both()
      const { plan } = drawPlan({ deployment: 'd', version: 0, now }, '0', random.fork('plan'))
      const base = 'test:{d}'
      const caller = { channel: 'channel', seed: 7, seen: random.pick([0, 15_000_000_000_000]), floor: 0, session: 's' }
      const sources = ledgerScripts(random.pick([1, 3, 300]))
      const script = async (name: string, ...args: (string | number)[]) => {
        const answer = await both.run('EVAL', sources.get(name)!, 1, base, JSON.stringify(caller), ...args)
        expect(String(answer), `${name} ${args.join(' ')}`).not.toMatch(/^error/)
        return answer
      }
      const graph = graphOf(plan, random.pick([1, 2, 50]))
      const part = (name: string, fields: (readonly [string, string | number])[]) =>
        fields.length === 0 ? [] : [name, 2 * fields.length, ...fields.flat()]
      const each = (value: (id: string) => string | number) => plan.remodels.map(({ id }) => [id, value(id)] as const)
      const needs = new Map(plan.remodels.map((remodel) => [remodel.id, remodel.needs.length]))
      const total = String(plan.remodels.length)
      const facts = {
        queues: JSON.stringify(graph.queues),
        floorplan: '0',
        kind: 'sim',
        total,
        open: total,
        done: '0',
        failed: '0',
        skipped: '0',
        state: 'stored',
      }
      const hashes = [
        ...part('remodels', [...graph.remodels]),
        ...part('graph', [...graph.nodes]),
        ...part('lists', graph.lists),
        ...part(
          'unmet',
          each((id) => needs.get(id)!),
        ),
        ...part(
          'state',
          each(() => 'blocked'),
        ),
        ...part('places', graph.places),
        ...part(
          'windows',
          plan.windows.map(({ name, limit }) => [`limit:${name}`, limit] as const),
        ),
      ]
      await script('store', plan.id, '', '', ...hashes)
      const last = part('', Object.entries(facts))
      for (let again = 0; again < 2; again++) await script('store', plan.id, 1, total, ...last)
      await script('open', plan.id, 'lock', 'holder', 'message', random.pick(['', 'me']))
      const fences = new Map<string, string>()
      for (let step = 0; step < 60; step++) {
        await pass(random.pick([0, 0, 1, 40, 600, 2500]))
        const states = both.model.model.read(`${base}:plan:${plan.id}:state`, 'hash')!
        const { id } = random.pick(plan.remodels)
        const state = states.get(id)
        const what = random.next()
        if (what < 0.02) await script('cancel', plan.id, 'who', 'abort', random.int(0, 1))
        else if (what < 0.04) await script('advance', plan.id, JSON.stringify({ assemble: random.int(1, 9) }))
        else if (what < 0.06)
          await script(
            'expire',
            plan.id,
            random.pick([0, 5000, -20_000]),
            JSON.stringify({ gone: random.pick([[], ['w1']]), alive: random.pick([[], ['w0']]) }),
          )
        else if (what < 0.07) await script('clock', 0, random.pick([-3600_000, 3600_000]))
        else if (what < 0.12 || state === 'waiting')
          await script('decide', plan.id, id, random.int(0, 1), 'who', `${step}`)
        else if (state === 'released' || what < 0.3) {
          const answer = (await script(
            'claim',
            random.pick(['w0', 'w1']),
            plan.id,
            id,
            `${id} #1`,
            random.pick(['any', 'none']),
            0,
          )) as {
            fence?: string
          }[]
          if (answer[0]?.fence) fences.set(id, answer[0].fence)
        } else {
          const outcome = random.pick(['done', 'done', 'done', 'retry', 'failed', 'progress'])
          const fence = random.chance(0.9) ? (fences.get(id) ?? '1') : '99'
          const more =
            outcome === 'done'
              ? { floorplan: { 'thing/x': '{"attributes":{}}', 'thing/y': false } }
              : { code: 'infrastructure', message: 'ü' }
          const take = random.chance(0.4) ? { job: `${id} #1`, take: 'assemble' } : {}
          const completion = { plan: plan.id, remodel: id, fence, outcome, ...more, ...take }
          const [answer] = (await script('complete', JSON.stringify([completion]))) as {
            next?: { fence: string; remodel: { id: string } }
          }[]
          if (answer?.next) fences.set(answer.next.remodel.id, answer.next.fence)
        }
        if (step % 10 === 9) await both.state()
      }
      await both.state()
    },
  )

  test('do the same with the scripts of compile requests and of locks', async () => {
    const random = new Random(7)
    const both = new Both()
    const file = (name: string) =>
      readFileSync(new URL(`../../shared/compilation/lua/${name}.lua`, import.meta.url), 'utf8')
    const locks = await lockScripts()
    for (let i = 0; i < 300; i++) {
      const who = random.pick(['"a"', '"b"', '"c"'])
      const token = random.pick(['a1', 'b2'])
      const what = random.next()
      await pass(random.pick([0, 1, 300]))
      if (what < 0.3)
        await both.run('EVAL', file('join'), 3, 'r', 'r:s', 't', who, '{"key":"k"}', who, random.int(0, 9))
      else if (what < 0.5) await both.run('EVAL', file('settle'), 3, 'r', 'r:s', 't', who)
      else if (what < 0.55) await both.run('SET', 'w:fence', `${token} ${random.int(0, 2)} life`)
      else if (what < 0.7)
        await both.run(
          ...(['EVAL', file('record'), 4, 'c', 'w:fence', 'd', 'd:w', `k${random.int(0, 3)}`, '{}'] as const),
          ...([`a1 ${random.int(0, 2)}`, random.int(0, 99), 3] as const),
          ...([`n${random.int(0, 5)}`, `m${random.int(0, 5)}`] as const),
        )
      else await both.run('EVAL', random.pick(locks), 2, 'l', 'm', token, 100_000)
    }
    await both.state()
  })

  test('refuse writes alike where there is no memory left, with nothing half done', async () => {
    const both = new Both()
    const script = "redis.call('HSET', KEYS[1], 'f', '1') redis.call('SET', KEYS[2], '1') return 1"
    const freeing = "redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[2], '1') return 1"
    await both.run('SET', 'b', '1')
    await redis.config('SET', 'maxmemory', '1')
    both.model.fullUntil = Number.POSITIVE_INFINITY
    try {
      await both.run('SET', 'a', '1')
      await both.run('GET', 'b')
      await both.run('EVAL', script, 2, 'h', 'v')
      await both.run('EVAL', "return redis.call('GET', KEYS[1])", 1, 'b')
      await both.run('EVAL', freeing, 2, 'b', 'v')
    } finally {
      await redis.config('SET', 'maxmemory', '0')
    }
    await both.state()
  })
})

/** The ledger's scripts as it defines them. */
function ledgerScripts(slice: number): Map<string, string> {
  const sources = new Map<string, string>()
  const spy = {
    defineCommand: (name: string, { lua }: { lua: string }) => sources.set(name.replace('ledger_', ''), lua),
  }
  const silent = { on: () => {} } as unknown as Redis
  scriptsOn(spy as unknown as Redis, { fences: new FenceSource(silent), slice, parkAfterMs: 60_000 })
  return sources
}

/** The scripts that the lock's library sends: caught where it would send them. */
async function lockScripts(): Promise<string[]> {
  const { Claims } = await import('../../shared/lock/claims.ts')
  const sources: string[] = []
  const spy = {
    evalsha: async () => Promise.reject(new Error('NOSCRIPT')),
    eval: async (source: string, count: number) => {
      sources.push(source)
      return count
    },
    hget: async () => null,
    mget: async (keys: string[]) => keys.map(() => null),
  }
  const claims = new Claims(spy as unknown as Redis, { url: '', prefix: 'test' })
  await claims.take(['l', 'm'], { who: 'me', since: 0, message: '' }).catch(() => {})
  return [...new Set(sources)]
}
