/**
 * A model of Redis: the data types and exactly the commands that Remodel and its scripts use. Anything else is refused
 * as a fault of the model, so that a new command is noticed. Checked against a real Redis by `differential.test.ts`.
 */
export type Reply = null | number | string | Status | ReplyError | Reply[]

export class Status {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export class ReplyError extends Error {}

type Value =
  | { type: 'string'; value: string }
  | { type: 'hash'; value: Map<string, string> }
  | { type: 'set'; value: Set<string> }
  | { type: 'zset'; value: Map<string, number> }
  | { type: 'list'; value: string[] }
  | { type: 'stream'; value: { id: string; fields: string[] }[] }
type Type = Value['type']
type ValueOf<T extends Type> = Extract<Value, { type: T }>['value']

const empty: { [T in Type]: () => ValueOf<T> } = {
  string: () => '',
  hash: () => new Map(),
  set: () => new Set(),
  zset: () => new Map(),
  list: () => [],
  stream: () => [],
}

const ok = new Status('OK')

/** Told of every change, while it happens. */
export interface Watcher {
  hashChanged?(key: string, field: string, before: string | undefined, after: string | undefined): void
  /** A command that the model does not have: the simulator must learn it. */
  unknown?(command: string): void
  streamGrew?(key: string, id: string, fields: string[]): void
}

export class RedisModel {
  readonly data = new Map<string, Value & { expiresAt?: number }>()
  /** Order in which hashes and sets answer their members; Redis promises none. */
  order: <T>(items: T[]) => T[] = (items) => items
  watcher: Watcher = {}
  /** What keys held before they were written to, the newest last; kept where the run may lose writes. */
  journal: { key: string; before: (Value & { expiresAt?: number }) | undefined }[] | null = null
  readonly #now: () => number

  /** @param now milliseconds since the epoch. */
  constructor(now: () => number) {
    this.#now = now
  }

  run(name: string, args: readonly string[]): Reply {
    const command = commands[name.toUpperCase()]
    if (!command) {
      this.watcher.unknown?.(name)
      return new ReplyError(`ERR unknown command '${name}'`)
    }
    if (this.journal && changing.has(name.toUpperCase())) this.#note(name.toUpperCase(), args)
    try {
      return command(this, args)
    } catch (error) {
      if (error instanceof ReplyError) return error
      throw error
    }
  }

  now(): number {
    return this.#now()
  }

  has(key: string): boolean {
    return this.#live(key) !== undefined
  }

  read<T extends Type>(key: string, type: T): ValueOf<T> | undefined {
    const found = this.#live(key)
    if (!found) return undefined
    if (found.type !== type) throw new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value')
    return found.value as ValueOf<T> | undefined
  }

  /** What a key holds, made when missing. */
  write<T extends Type>(key: string, type: T): ValueOf<T> {
    const found = this.read(key, type)
    if (found !== undefined) return found as ValueOf<T>
    const value = empty[type]()
    this.data.set(key, { type, value } as unknown as Value)
    return value as ValueOf<T>
  }

  put(key: string, value: string, expiresAt?: number): void {
    this.data.set(key, { type: 'string', value, ...(expiresAt === undefined ? {} : { expiresAt }) })
  }

  /** Sets or takes away when a key ends; false where nothing was changed. */
  expire(key: string, at: number | undefined): boolean {
    const found = this.#live(key)
    if (!found || (at === undefined && found.expiresAt === undefined)) return false
    if (at === undefined) delete found.expiresAt
    else found.expiresAt = at
    return true
  }

  /** When a key will be gone. */
  endOf(key: string): number | undefined {
    return this.#live(key)?.expiresAt
  }

  delete(key: string): boolean {
    const there = this.has(key)
    const found = this.data.get(key)
    this.data.delete(key)
    if (there && found?.type === 'hash')
      for (const [field, value] of found.value) this.watcher.hashChanged?.(key, field, value, undefined)
    return there
  }

  /** Empty collections do not exist. */
  tidy(key: string, size: number): void {
    if (size === 0) this.data.delete(key)
  }

  keys(): string[] {
    return [...this.data.keys()].filter((key) => this.has(key)).sort()
  }

  /** Takes back everything that was written since the journal had this length. */
  undo(length: number): void {
    const journal = this.journal ?? []
    while (journal.length > length) {
      const { key, before } = journal.pop()!
      if (before) this.data.set(key, before)
      else this.data.delete(key)
    }
  }

  #note(name: string, args: readonly string[]): void {
    const keys = name === 'DEL' || name === 'UNLINK' ? args : args.slice(0, 1)
    for (const key of keys) {
      const found = this.data.get(key)
      this.journal!.push({ key, before: found && structuredClone(found) })
    }
  }

  #live(key: string): (Value & { expiresAt?: number }) | undefined {
    const found = this.data.get(key)
    if (found?.expiresAt !== undefined && found.expiresAt <= this.#now()) {
      this.data.delete(key)
      return undefined
    }
    return found
  }
}

type Command = (redis: RedisModel, args: readonly string[]) => Reply

function integer(text: string | undefined): number {
  if (text === undefined || !/^-?\d+$/.test(text)) throw new ReplyError('ERR value is not an integer or out of range')
  return Number(text)
}

function pairs(args: readonly string[]): [string, string][] {
  return Array.from({ length: args.length / 2 }, (_, i) => [args[2 * i]!, args[2 * i + 1]!])
}

function setField(redis: RedisModel, key: string, [field, value]: readonly [field: string, value: string]): boolean {
  const hash = redis.write(key, 'hash')
  const before = hash.get(field)
  hash.set(field, value)
  redis.watcher.hashChanged?.(key, field, before, value)
  return before === undefined
}

/** Members of a sorted set, lowest first. */
function ranked(zset: Map<string, number> | undefined): [string, number][] {
  return [...(zset ?? [])].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
}

function slice<T>(items: T[], from: string, to: string): T[] {
  const [start, end] = [integer(from), integer(to)]
  const at = (index: number) => (index < 0 ? Math.max(0, items.length + index) : index)
  return items.slice(at(start), end < 0 ? Math.max(0, items.length + end + 1) : end + 1)
}

function limited<T>(items: T[], [word, offset, count, ...more]: readonly string[]): T[] {
  if (word === undefined) return items
  if (word.toUpperCase() !== 'LIMIT' || more.length > 0) throw new Error(`the model has no option ${word} of a range`)
  return items.slice(integer(offset), integer(offset) + integer(count))
}

function bound(text: string): number {
  if (text === '-inf') return Number.NEGATIVE_INFINITY
  if (text === '+inf') return Number.POSITIVE_INFINITY
  const value = Number(text)
  if (Number.isNaN(value)) throw new ReplyError('ERR min or max is not a float')
  return value
}

function compareIds(a: string, b: string): number {
  const [x, y] = [a.split('-').map(Number), b.split('-').map(Number)]
  return x[0]! - y[0]! || (x[1] ?? 0) - (y[1] ?? 0)
}

/** What needs memory: refused while Redis is full. */
export const writing = new Set('SET INCR HSET HSETNX HINCRBY SADD ZADD RPUSH LPUSH XADD'.split(' '))
/** What changes data and is carried out even then. */
export const removing = new Set('DEL UNLINK HDEL SREM ZREM ZREMRANGEBYSCORE LPOP'.split(' '))

/** Everything that may leave a key other than it was. */
const changing = new Set([...writing, ...removing, 'EXPIRE', 'PEXPIRE', 'PERSIST'])

const commands: Record<string, Command> = {
  PING: () => new Status('PONG'),
  TIME: (redis) => {
    const now = redis.now()
    return [String(Math.floor(now / 1000)), String(Math.floor((now % 1000) * 1000))]
  },
  GET: (redis, [key]) => redis.read(key!, 'string') ?? null,
  MGET: (redis, keys) =>
    keys.map((key) => (redis.data.get(key)?.type === 'string' ? (redis.read(key, 'string') ?? null) : null)),
  SET: (redis, [key, value, ...options]) => {
    let expiresAt: number | undefined
    for (let i = 0; i < options.length; i++) {
      const option = options[i]!.toUpperCase()
      if (option === 'PX') expiresAt = redis.now() + integer(options[++i])
      else if (option === 'EX') expiresAt = redis.now() + 1000 * integer(options[++i])
      else if (option === 'NX') {
        if (redis.has(key!)) return null
      } else throw new Error(`the model of SET has no option ${option}`)
    }
    redis.put(key!, value!, expiresAt)
    return ok
  },
  INCR: (redis, [key]) => {
    const before = redis.read(key!, 'string') ?? '0'
    if (!/^-?\d+$/.test(before)) throw new ReplyError('ERR value is not an integer or out of range')
    redis.put(key!, String(Number(before) + 1), redis.endOf(key!))
    return Number(before) + 1
  },
  DEL: (redis, keys) => keys.filter((key) => redis.delete(key)).length,
  UNLINK: (redis, keys) => keys.filter((key) => redis.delete(key)).length,
  EXISTS: (redis, keys) => keys.filter((key) => redis.has(key)).length,
  HSET: (redis, [key, ...rest]) => {
    redis.write(key!, 'hash')
    return pairs(rest).filter((pair) => setField(redis, key!, pair)).length
  },
  HSETNX: (redis, [key, field, value]) => {
    const hash = redis.write(key!, 'hash')
    if (hash.has(field!)) return 0
    setField(redis, key!, [field!, value!])
    return 1
  },
  HGET: (redis, [key, field]) => redis.read(key!, 'hash')?.get(field!) ?? null,
  HMGET: (redis, [key, ...fields]) => {
    const hash = redis.read(key!, 'hash')
    return fields.map((field) => hash?.get(field) ?? null)
  },
  HGETALL: (redis, [key]) => redis.order([...(redis.read(key!, 'hash') ?? [])]).flat(),
  HDEL: (redis, [key, ...fields]) => {
    const hash = redis.read(key!, 'hash')
    if (!hash) return 0
    let gone = 0
    for (const field of fields) {
      const before = hash.get(field)
      if (before === undefined) continue
      hash.delete(field)
      redis.watcher.hashChanged?.(key!, field, before, undefined)
      gone += 1
    }
    redis.tidy(key!, hash.size)
    return gone
  },
  EXPIRE: (redis, [key, seconds]) => (redis.expire(key!, redis.now() + 1000 * integer(seconds)) ? 1 : 0),
  PEXPIRE: (redis, [key, ms, option]) => {
    if (option !== undefined && option !== 'LT') throw new Error(`the model of PEXPIRE has no option ${option}`)
    const at = redis.now() + integer(ms)
    if (option === 'LT' && at >= (redis.endOf(key!) ?? Number.POSITIVE_INFINITY)) return 0
    return redis.expire(key!, at) ? 1 : 0
  },
  PERSIST: (redis, [key]) => (redis.expire(key!, undefined) ? 1 : 0),
  HEXISTS: (redis, [key, field]) => (redis.read(key!, 'hash')?.has(field!) ? 1 : 0),
  HLEN: (redis, [key]) => redis.read(key!, 'hash')?.size ?? 0,
  HKEYS: (redis, [key]) => redis.order([...(redis.read(key!, 'hash')?.keys() ?? [])]),
  HVALS: (redis, [key]) => redis.order([...(redis.read(key!, 'hash')?.values() ?? [])]),
  HINCRBY: (redis, [key, field, by]) => {
    const before = redis.read(key!, 'hash')?.get(field!) ?? '0'
    if (!/^-?\d+$/.test(before)) throw new ReplyError('ERR hash value is not an integer')
    const value = Number(before) + integer(by)
    setField(redis, key!, [field!, String(value)])
    return value
  },
  SADD: (redis, [key, ...members]) => {
    const set = redis.write(key!, 'set')
    const before = set.size
    for (const member of members) set.add(member)
    return set.size - before
  },
  SREM: (redis, [key, ...members]) => {
    const set = redis.read(key!, 'set')
    if (!set) return 0
    const gone = members.filter((member) => set.delete(member)).length
    redis.tidy(key!, set.size)
    return gone
  },
  SMEMBERS: (redis, [key]) => redis.order([...(redis.read(key!, 'set') ?? [])]),
  SCARD: (redis, [key]) => redis.read(key!, 'set')?.size ?? 0,
  SISMEMBER: (redis, [key, member]) => (redis.read(key!, 'set')?.has(member!) ? 1 : 0),
  ZADD: (redis, [key, ...rest]) => {
    const scores = rest.findIndex((word) => !/^(NX|XX|GT|LT)$/i.test(word))
    const options = new Set(rest.slice(0, scores).map((word) => word.toUpperCase()))
    const zset = redis.write(key!, 'zset')
    let added = 0
    for (const [score, member] of pairs(rest.slice(scores))) {
      const before = zset.get(member)
      const value = bound(score)
      if (before === undefined) {
        if (options.has('XX')) continue
        added += 1
      } else if (options.has('NX') || (options.has('GT') && value <= before) || (options.has('LT') && value >= before))
        continue
      zset.set(member, value)
    }
    redis.tidy(key!, zset.size)
    return added
  },
  ZREM: (redis, [key, ...members]) => {
    const zset = redis.read(key!, 'zset')
    if (!zset) return 0
    const gone = members.filter((member) => zset.delete(member)).length
    redis.tidy(key!, zset.size)
    return gone
  },
  ZCARD: (redis, [key]) => redis.read(key!, 'zset')?.size ?? 0,
  ZSCORE: (redis, [key, member]) => {
    const score = redis.read(key!, 'zset')?.get(member!)
    return score === undefined ? null : String(score)
  },
  ZMSCORE: (redis, [key, ...members]) => {
    const zset = redis.read(key!, 'zset')
    return members.map((member) => (zset?.has(member) ? String(zset.get(member)) : null))
  },
  ZRANGE: (redis, [key, from, to, withScores]) =>
    slice(ranked(redis.read(key!, 'zset')), from!, to!).flatMap(([member, score]) =>
      withScores ? [member, String(score)] : [member],
    ),
  ZREVRANGE: (redis, [key, from, to]) =>
    slice(ranked(redis.read(key!, 'zset')).reverse(), from!, to!).map(([member]) => member),
  ZRANGEBYSCORE: (redis, [key, min, max, ...options]) => {
    const [low, high] = [bound(min!), bound(max!)]
    const found = ranked(redis.read(key!, 'zset')).filter(([, score]) => score >= low && score <= high)
    return limited(found, options).map(([member]) => member)
  },
  ZREVRANGEBYSCORE: (redis, [key, max, min, ...options]) => {
    const [low, high] = [bound(min!), bound(max!)]
    const found = ranked(redis.read(key!, 'zset')).filter(([, score]) => score >= low && score <= high)
    return limited(found.reverse(), options).map(([member]) => member)
  },
  ZREMRANGEBYSCORE: (redis, [key, min, max]) => {
    const zset = redis.read(key!, 'zset')
    if (!zset) return 0
    const [low, high] = [bound(min!), bound(max!)]
    let gone = 0
    for (const [member, score] of [...zset]) if (score >= low && score <= high && zset.delete(member)) gone += 1
    redis.tidy(key!, zset.size)
    return gone
  },
  RPUSH: (redis, [key, ...values]) => redis.write(key!, 'list').push(...values),
  LPUSH: (redis, [key, ...values]) => redis.write(key!, 'list').unshift(...values.reverse()),
  LPOP: (redis, [key]) => {
    const list = redis.read(key!, 'list')
    const first = list?.shift() ?? null
    if (list) redis.tidy(key!, list.length)
    return first
  },
  LRANGE: (redis, [key, from, to]) => slice(redis.read(key!, 'list') ?? [], from!, to!),
  LLEN: (redis, [key]) => redis.read(key!, 'list')?.length ?? 0,
  XADD: (redis, [key, id, ...fields]) => {
    const stream = redis.write(key!, 'stream')
    const last = stream.at(-1)
    if (last && compareIds(id!, last.id) <= 0) {
      throw new ReplyError('ERR The ID specified in XADD is equal or smaller than the target stream top item')
    }
    stream.push({ id: id!, fields })
    redis.watcher.streamGrew?.(key!, id!, fields)
    return id!
  },
  /** Never blocks: no client of a simulation reads events that way. */
  XREAD: (redis, args) => {
    const at = args.findIndex((arg) => arg.toUpperCase() === 'STREAMS')
    const count = args[0]?.toUpperCase() === 'COUNT' ? integer(args[1]) : Number.POSITIVE_INFINITY
    const [key, after] = [args[at + 1]!, args[at + 2]!]
    const entries = (redis.read(key, 'stream') ?? []).filter((entry) => compareIds(entry.id, after) > 0).slice(0, count)
    return entries.length === 0 ? null : [[key, entries.map(({ id, fields }): Reply => [id, [...fields]])]]
  },
}

export const commandNames = Object.keys(commands)
