import { createHash } from 'node:crypto'
import { LuaApi } from 'wasmoon-lua5.1'
import { type Reply, ReplyError, Status } from './model.ts'

/** LUA_GLOBALSINDEX of Lua 5.1. */
const globals = -10002
const [nil, boolean, number, string, table] = [0, 1, 3, 4, 5]
const scratchSize = 1 << 20
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The raw functions of Lua's C interface: strings and pointers are numbers, which is what makes them fast. */
type Raw = Record<string, (...args: number[]) => number> & {
  HEAPU8: Uint8Array
  HEAPU32: Uint32Array
  addFunction(run: (state: number) => number, signature: string): number
  stringToNewUTF8(text: string): number
}

/** What `redis.call` does; an error is raised in the script. */
export type Call = (name: string, args: string[]) => Reply

/**
 * Lua 5.1, the version inside Redis, running Redis scripts as they are: KEYS, ARGV, `redis.call`, `redis.pcall` and
 * `cjson` as Redis gives them.
 */
export class LuaMachine {
  readonly #raw: Raw
  readonly #state: number
  readonly #scratch: number
  readonly #names = new Map<string, number>()
  /** Source -> index of the compiled function on the stack: the bottom of the stack keeps them all. */
  readonly #functions = new Map<string, number>()
  #call: Call = () => null

  static async create(): Promise<LuaMachine> {
    return new LuaMachine((await LuaApi.initialize()).module as unknown as Raw)
  }

  private constructor(raw: Raw) {
    this.#raw = raw
    this.#state = raw._luaL_newstate!()
    raw._luaL_openlibs!(this.#state)
    this.#scratch = raw._malloc!(scratchSize)
    const call = (raises: boolean) =>
      raw.addFunction((state) => {
        const words = Array.from({ length: raw._lua_gettop!(state) }, (_, i) => this.#argument(state, i + 1))
        if (words.includes(null))
          return this.#raise(state, 'ERR Lua redis lib command arguments must be strings or integers')
        const [name, ...args] = words as string[]
        const reply = this.#call(name!, args)
        if (reply instanceof ReplyError && raises) return this.#raise(state, reply.message)
        this.#pushReply(state, reply)
        return 1
      }, 'ii')
    this.#library('redis', { call: call(true), pcall: call(false) })
    const encode = raw.addFunction((state) => {
      this.#pushText(state, JSON.stringify(this.#read(state, 1)))
      return 1
    }, 'ii')
    const decode = raw.addFunction((state) => {
      this.#push(state, JSON.parse(this.#text(state, 1)))
      return 1
    }, 'ii')
    this.#library('cjson', { encode, decode })
  }

  /** Runs a script; what it answers is converted as Redis does. */
  run(source: string, keys: readonly string[], argv: readonly string[], call: Call): Reply {
    const { _lua_pushvalue, _lua_pcall, _lua_settop, _lua_gettop } = this.#raw
    const state = this.#state
    const compiled = this.#compile(source)
    const top = _lua_gettop!(state)
    this.#call = call
    this.#pushList(state, keys)
    this.#raw._lua_setfield!(state, globals, this.#name('KEYS'))
    this.#pushList(state, argv)
    this.#raw._lua_setfield!(state, globals, this.#name('ARGV'))
    _lua_pushvalue!(state, compiled)
    const status = _lua_pcall!(state, 0, 1, 0)
    const reply = status === 0 ? this.#readReply(state, -1) : new ReplyError(this.#text(state, -1))
    _lua_settop!(state, top)
    return reply
  }

  #compile(source: string): number {
    const known = this.#functions.get(source)
    if (known !== undefined) return known
    const digest = createHash('sha1').update(source).digest('hex')
    const bytes = encoder.encode(source)
    const text = this.#raw._malloc!(bytes.length)
    this.#raw.HEAPU8.set(bytes, text)
    const status = this.#raw._luaL_loadbuffer!(this.#state, text, bytes.length, this.#name(`@${digest.slice(0, 8)}`))
    this.#raw._free!(text)
    if (status !== 0) throw new Error(`a script does not compile: ${this.#text(this.#state, -1)}`)
    const at = this.#raw._lua_gettop!(this.#state)
    this.#functions.set(source, at)
    return at
  }

  #library(name: string, functions: Record<string, number>): void {
    this.#raw._lua_createtable!(this.#state, 0, 2)
    for (const [field, run] of Object.entries(functions)) {
      this.#raw._lua_pushcclosure!(this.#state, run, 0)
      this.#raw._lua_setfield!(this.#state, -2, this.#name(field))
    }
    this.#raw._lua_setfield!(this.#state, globals, this.#name(name))
  }

  #raise(state: number, message: string): number {
    this.#pushText(state, message)
    return this.#raw._lua_error!(state)
  }

  /** A C string that is kept for good. */
  #name(text: string): number {
    let pointer = this.#names.get(text)
    if (pointer === undefined) {
      pointer = this.#raw.stringToNewUTF8(text)
      this.#names.set(text, pointer)
    }
    return pointer
  }

  #pushText(state: number, text: string): void {
    const heap = this.#raw.HEAPU8
    const at = this.#scratch
    let length = text.length
    let i = 0
    if (length < scratchSize) {
      for (; i < length; i++) {
        const code = text.charCodeAt(i)
        if (code > 127) break
        heap[at + i] = code
      }
    }
    if (i < length) {
      const bytes = encoder.encode(text)
      if (bytes.length > scratchSize) throw new Error('a string is too long for the model of Redis')
      heap.set(bytes, at)
      length = bytes.length
    }
    this.#raw._lua_pushlstring!(state, at, length)
  }

  #text(state: number, index: number): string {
    const at = this.#raw._lua_tolstring!(state, index, this.#scratch)
    const heap = this.#raw.HEAPU8
    const length = this.#raw.HEAPU32[this.#scratch >> 2]!
    if (length > 60) return decoder.decode(heap.subarray(at, at + length))
    let text = ''
    for (let i = 0; i < length; i++) {
      const code = heap[at + i]!
      if (code > 127) return decoder.decode(heap.subarray(at, at + length))
      text += String.fromCharCode(code)
    }
    return text
  }

  #argument(state: number, index: number): string | null {
    const type = this.#raw._lua_type!(state, index)
    if (type === number) return String(this.#raw._lua_tonumber!(state, index))
    return type === string ? this.#text(state, index) : null
  }

  #pushList(state: number, items: readonly string[]): void {
    this.#raw._lua_createtable!(state, items.length, 0)
    items.forEach((item, i) => {
      this.#pushText(state, item)
      this.#raw._lua_rawseti!(state, -2, i + 1)
    })
  }

  #pushReply(state: number, reply: Reply): void {
    if (reply === null) this.#raw._lua_pushboolean!(state, 0)
    else if (typeof reply === 'number') this.#raw._lua_pushnumber!(state, reply)
    else if (typeof reply === 'string') this.#pushText(state, reply)
    else if (Array.isArray(reply)) {
      this.#raw._lua_createtable!(state, reply.length, 0)
      reply.forEach((item, i) => {
        this.#pushReply(state, item)
        this.#raw._lua_rawseti!(state, -2, i + 1)
      })
    } else {
      this.#raw._lua_createtable!(state, 0, 1)
      this.#pushText(state, reply instanceof Status ? reply.text : reply.message)
      this.#raw._lua_setfield!(state, -2, this.#name(reply instanceof Status ? 'ok' : 'err'))
    }
  }

  #readReply(state: number, index: number): Reply {
    const value = this.#read(state, index)
    if (value === true) return 1
    if (value === false || value === null || value === undefined) return null
    if (typeof value === 'number') return Math.trunc(value)
    return value as Reply
  }

  #push(state: number, value: unknown): void {
    const raw = this.#raw
    // cjson.null is a value of its own in Redis; none of our scripts meets one.
    if (value === null) raw._lua_pushnil!(state)
    else if (typeof value === 'boolean') raw._lua_pushboolean!(state, value ? 1 : 0)
    else if (typeof value === 'number') raw._lua_pushnumber!(state, value)
    else if (typeof value === 'string') this.#pushText(state, value)
    else if (Array.isArray(value)) {
      raw._lua_createtable!(state, value.length, 0)
      value.forEach((item, i) => {
        this.#push(state, item)
        raw._lua_rawseti!(state, -2, i + 1)
      })
    } else {
      raw._lua_createtable!(state, 0, 8)
      for (const [key, item] of Object.entries(value as object)) {
        this.#pushText(state, key)
        this.#push(state, item)
        raw._lua_rawset!(state, -3)
      }
    }
  }

  /** A Lua value as JSON sees it: a table with elements 1 to n is a list, the empty table an object, as cjson does. */
  #read(state: number, index: number): unknown {
    const raw = this.#raw
    const type = raw._lua_type!(state, index)
    if (type === nil) return null
    if (type === boolean) return raw._lua_toboolean!(state, index) === 1
    if (type === number) return Number(raw._lua_tonumber!(state, index).toPrecision(14))
    if (type === string) return this.#text(state, index)
    if (type !== table) throw new Error('a script made something that is not JSON')
    const at = index < 0 ? raw._lua_gettop!(state) + index + 1 : index
    const fields: [string | number, unknown][] = []
    raw._lua_pushnil!(state)
    while (raw._lua_next!(state, at) !== 0) {
      const key = raw._lua_type!(state, -2) === number ? raw._lua_tonumber!(state, -2) : this.#text(state, -2)
      fields.push([key, this.#read(state, -1)])
      raw._lua_settop!(state, -2)
    }
    if (fields.length > 0 && fields.every(([key]) => typeof key === 'number')) {
      const list: unknown[] = []
      for (const [key, value] of fields) list[(key as number) - 1] = value
      return list
    }
    return Object.fromEntries(fields)
  }
}
