import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'

/** What a process keeps after a full collection: in bytes. */
const Memory = z.object({ heapUsed: z.number(), heapTotal: z.number(), arrayBuffers: z.number() })
/** Of its worker threads: heaps with the room in them, and what their objects hold outside: memories of WebAssembly. */
const Threads = z.object({ count: z.number(), heapTotal: z.number(), external: z.number() })
/** Of each constructor: how many objects there are. */
const Objects = z.record(z.string(), z.number())

export type Retained = z.infer<typeof Memory> & { threads: z.infer<typeof Threads>; objects: z.infer<typeof Objects> }

/** Flags with which Node tells on standard error where its inspector listens: on loopback, at any free port. */
export const inspectorFlags = '--inspect=127.0.0.1:0 --inspect-publish-uid=stderr'

/** Where the inspector of a process listens, from what it has written. */
export function inspectorOf(lines: readonly string[]): string | null {
  for (const line of lines) {
    const found = /^Debugger listening on (ws:\S+)$/.exec(line)
    if (found) return found[1]!
  }
  return null
}

/** Counted in the process itself, so that no snapshot of the heap, three times as large as the heap, is made in it. */
const count = `function () {
  const counts = {}
  for (const one of this) {
    let name = ''
    try { name = one.constructor?.name } catch {}
    if (typeof name !== 'string' || name === '') name = '(none)'
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}`

/** Workers that have ended, and prototypes of classes made from theirs, have no figures. */
const threads = `async function () {
  const asked = await Promise.allSettled(this.map(async (worker) => worker.getHeapStatistics()))
  const found = asked.flatMap(({ value }) => value ?? [])
  const sum = (field) => found.reduce((total, one) => total + one[field], 0)
  return { count: found.length, heapTotal: sum('total_heap_size'), external: sum('external_memory') }
}`

/**
 * Collects all garbage of another process twice, what finalizers let go of included, and looks at what it still has.
 */
export async function retainedBy(url: string): Promise<Retained> {
  const session = await Session.open(url)
  try {
    for (let n = 0; n < 2; n++) {
      await session.ask('HeapProfiler.collectGarbage', {}, z.unknown())
      await sleep(200)
    }
    const memory = await session.ask(
      'Runtime.evaluate',
      { expression: 'process.memoryUsage()', returnByValue: true },
      resultOf(Memory),
    )
    const worker = `process.getBuiltinModule('node:worker_threads').Worker.prototype`
    return {
      ...memory,
      threads: await session.overAll(worker, threads, Threads),
      objects: await session.overAll('Object.prototype', count, Objects),
    }
  } finally {
    session.close()
  }
}

/** The inspector's protocol: a message out, the one with its number back. */
class Session {
  readonly #socket: WebSocket
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>()
  #serial = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => {
      const { id, result, error } = Message.parse(JSON.parse(String(data)))
      if (id === undefined) return
      if (error) this.#asked.get(id)?.reject(new Error(error.message))
      else this.#asked.get(id)?.resolve(result)
      this.#asked.delete(id)
    })
    socket.addEventListener('close', () => {
      for (const asked of this.#asked.values()) asked.reject(new Error('the inspector has closed'))
    })
  }

  static async open(url: string): Promise<Session> {
    const socket = new WebSocket(url)
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve())
      socket.addEventListener('error', () => reject(new Error(`no inspector answers at ${url}`)))
    })
    return new Session(socket)
  }

  async ask<T>(method: string, params: object, answer: z.ZodType<T>): Promise<T> {
    const id = ++this.#serial
    const asked = Promise.withResolvers<unknown>()
    this.#asked.set(id, asked)
    this.#socket.send(JSON.stringify({ id, method, params }))
    return answer.parse(await asked.promise)
  }

  /** Calls a function on the array of all objects that have this prototype; answers what it returns. */
  async overAll<T>(prototype: string, functionDeclaration: string, answer: z.ZodType<T>): Promise<T> {
    const objectGroup = 'all'
    const { result } = await this.ask('Runtime.evaluate', { expression: prototype, objectGroup }, Reference)
    const found = await this.ask(
      'Runtime.queryObjects',
      { prototypeObjectId: result.objectId, objectGroup },
      z.object({ objects: ObjectId }),
    )
    const call = { ...found.objects, functionDeclaration, returnByValue: true, awaitPromise: true }
    const value = await this.ask('Runtime.callFunctionOn', call, resultOf(answer))
    await this.ask('Runtime.releaseObjectGroup', { objectGroup }, z.unknown())
    return value
  }

  close(): void {
    this.#socket.close()
  }
}

const Message = z.object({
  id: z.number().optional(),
  result: z.unknown(),
  error: z.object({ message: z.string() }).optional(),
})
const ObjectId = z.object({ objectId: z.string() })
const Reference = z.object({ result: ObjectId })

function resultOf<T>(schema: z.ZodType<T>): z.ZodType<T> {
  return z.object({ result: z.object({ value: schema }) }).transform(({ result }) => result.value)
}
