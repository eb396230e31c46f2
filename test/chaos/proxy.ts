import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'

/** Which way bytes go: `up` to Redis, `down` from it. */
export type Way = 'up' | 'down'

/** What the network does to every connection that goes through a proxy. */
export interface Weather {
  /** Milliseconds that every chunk is late, each way; `jitterMs` more at most, drawn for each chunk. Order is kept. */
  latencyMs: number
  jitterMs: number
  /** Bytes of one write at most; 0 leaves writes whole. */
  sliceBytes: number
  /** Nothing passes this way until it is taken out; as TCP would, what was sent meanwhile arrives then. */
  hole: Way | 'both' | null
}

const calm: Weather = { latencyMs: 0, jitterMs: 0, sliceBytes: 0, hole: null }

/**
 * A TCP proxy with one port and one target, and weather of its own, so that a fault can be aimed at one service.
 *
 * A connection is two lines, one each way. A line reads a chunk, holds it as long as the weather says, and writes it;
 * it reads no further before that, so backpressure reaches the sender as it would on a slow network.
 */
export class FaultyProxy {
  readonly port: number
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #random: () => number
  #weather: Weather = calm

  private constructor(server: Server, targetPort: number, random: () => number) {
    this.#server = server
    this.#random = random
    this.port = (server.address() as { port: number }).port
    server.on('connection', (client) => {
      const connection = new Connection(client, connect(targetPort, '127.0.0.1'), this)
      this.#connections.add(connection)
      connection.over.then(() => this.#connections.delete(connection))
    })
  }

  static async open(targetPort: number, random: () => number = Math.random): Promise<FaultyProxy> {
    const server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FaultyProxy(server, targetPort, random)
  }

  get weather(): Weather {
    return this.#weather
  }

  /** Changes the weather for connections that are open and for those to come. */
  set(weather: Partial<Weather>): void {
    this.#weather = { ...this.#weather, ...weather }
  }

  /** Fair weather again; connections that had become half-open are reset, as a host that came back would do. */
  calm(): void {
    this.#weather = calm
    for (const connection of this.#connections) connection.endHalfOpen()
  }

  /** Resets every connection. */
  cut(): void {
    for (const connection of this.#connections) connection.reset()
  }

  /** Redis' side of every connection ends; the service's side stays open and hears nothing more. */
  halfOpen(): void {
    for (const connection of this.#connections) connection.halfOpen()
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  holds(way: Way): boolean {
    return this.#weather.hole === way || this.#weather.hole === 'both'
  }

  delay(): number {
    return this.#weather.latencyMs + this.#random() * this.#weather.jitterMs
  }

  pieces(chunk: Buffer): Buffer[] {
    const { sliceBytes } = this.#weather
    if (sliceBytes === 0) return [chunk]
    return Array.from({ length: Math.ceil(chunk.length / sliceBytes) }, (_, i) =>
      chunk.subarray(i * sliceBytes, (i + 1) * sliceBytes),
    )
  }
}

class Connection {
  readonly over: Promise<void>
  readonly #client: Socket
  readonly #upstream: Socket
  #half = false

  constructor(client: Socket, upstream: Socket, proxy: FaultyProxy) {
    this.#client = client
    this.#upstream = upstream
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
    }
    this.over = Promise.all([
      this.#line(client, upstream, 'up', proxy),
      this.#line(upstream, client, 'down', proxy),
    ]).then(() => undefined)
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#upstream.resetAndDestroy()
  }

  halfOpen(): void {
    this.#half = true
    this.#upstream.resetAndDestroy()
  }

  endHalfOpen(): void {
    if (this.#half) this.#client.resetAndDestroy()
  }

  async #line(from: Socket, to: Socket, way: Way, proxy: FaultyProxy): Promise<void> {
    try {
      for await (const chunk of from) {
        const late = proxy.delay()
        if (late > 0) await sleep(late)
        for (const piece of proxy.pieces(chunk as Buffer)) {
          while (proxy.holds(way) && !to.destroyed) await sleep(20)
          if (to.destroyed) break
          if (!to.write(piece)) await once(to, 'drain').catch(() => {})
          if (piece !== chunk) await turn()
        }
      }
    } catch {
      // Reset: what was on its way is gone.
    }
    if (!this.#half) to.destroy()
  }
}
