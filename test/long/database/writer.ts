import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { connect } from './support.ts'

/** A client that keeps writing to one node, and knows what was acknowledged. */
export class Writer {
  readonly acknowledged: string[] = []
  /** Longest time between two acknowledgements so far, in milliseconds. */
  longestGapMs = 0
  readonly node: string
  readonly #net: number
  readonly #pauseMs: number
  #hosts: string
  #stopped = false
  #running: Promise<void>

  /** `pauseMs`: between two rows. */
  constructor(net: number, node: string, hosts: string, pauseMs = 5) {
    this.#net = net
    this.#pauseMs = pauseMs
    this.#hosts = hosts
    this.node = node
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  /** It goes there with its next row; to no host at all, it waits. */
  set hosts(hosts: string) {
    this.#hosts = hosts
  }

  /** The longest gap since it was asked last. */
  takeGap(): number {
    const gap = Math.round(this.longestGapMs)
    this.longestGapMs = 0
    return gap
  }

  async #run(): Promise<void> {
    let client: pg.Client | undefined
    let last = performance.now()
    let at = this.#hosts
    for (let i = 0; !this.#stopped; i++) {
      const id = `${this.node}-w${i}`
      try {
        if (at !== this.#hosts) {
          at = this.#hosts
          await client?.end().catch(() => {})
          client = undefined
        }
        client ??= await connect(this.#net, at)
        const written = client.query(
          'WITH one AS (INSERT INTO item VALUES ($1, $2)) INSERT INTO entry VALUES ($1, $2)',
          [id, this.node],
        )
        const limit = new AbortController()
        await Promise.race([
          written,
          sleep(5000, undefined, { signal: limit.signal }).then(() => {
            throw new Error('no answer')
          }),
        ]).finally(() => limit.abort())
        this.acknowledged.push(id)
        const now = performance.now()
        this.longestGapMs = Math.max(this.longestGapMs, now - last)
        last = now
        await sleep(this.#pauseMs)
      } catch {
        // What became of the row is not known: it counts for nothing, here and in what is compared.
        client?.end().catch(() => {})
        client = undefined
        await sleep(50)
      }
    }
    await client?.end()
  }
}
