import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** How the clients behave: `keep-alive` clients hold one connection each, `close` clients open one per request. */
export type LoadKind = 'keep-alive' | 'close' | 'mixed'

export interface LoadOptions {
  /** Of the balancer: `http://127.44.1.10:8000`. */
  url: string
  /** How many clients; each has one request under way at a time. */
  connections: number
  kind: LoadKind
  /** Milliseconds a client thinks between two requests. Default 0. */
  pauseMs?: number
}

/** An entry that a guestbook said it keeps. */
export interface Acknowledged {
  /** `guestbook/0`: whose disk it is on. */
  instance: string
  id: number
  text: string
}

export interface LoadResult {
  requests: number
  /** Requests without an answer, or with an answer that is not 2xx. */
  failed: number
  /** One sentence per failed request, the first 20. */
  errors: string[]
  acknowledged: Acknowledged[]
  /** Milliseconds from the first byte sent to the last byte of the answer. */
  latency: { p50: number; p99: number; max: number }
  /** Values of `version` of GET /version, each with the number of answers that carried it. */
  versions: Record<string, number>
}

export interface Load {
  /** What was counted so far. */
  progress(): { requests: number; failed: number }
  /** Lets every request that is under way end, then counts. */
  stop(): Promise<LoadResult>
}

const reads = ['/version', '/count', '/entries?limit=5'] as const
const timeoutMs = 30_000

/**
 * Starts clients that write and read entries until they are stopped: every other request is a POST /entries of a text
 * that was never sent before. Nothing is tried again: what the balancer cannot hide is counted as failed.
 */
export function startLoad(options: LoadOptions): Load {
  const run = `${Date.now().toString(36)}-${process.pid}`
  const counts = { requests: 0, failed: 0 }
  const errors: string[] = []
  const acknowledged: Acknowledged[] = []
  const latencies: number[] = []
  const versions: Record<string, number> = {}
  let stopped = false

  async function client(number: number): Promise<void> {
    const keepAlive = options.kind === 'keep-alive' || (options.kind === 'mixed' && number % 2 === 0)
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    for (let turn = 0; !stopped; turn++) {
      const text = turn % 2 === 0 ? `entry ${turn} of client ${number} of ${run}` : undefined
      const path = text === undefined ? reads[(turn >> 1) % reads.length]! : '/entries'
      const started = performance.now()
      try {
        const answer = await send(agent, new URL(path, options.url), text)
        if (text !== undefined) acknowledged.push({ ...(JSON.parse(answer) as { id: number; instance: string }), text })
        if (path === '/version') {
          const { version } = JSON.parse(answer) as { version: string }
          versions[version] = (versions[version] ?? 0) + 1
        }
      } catch (error) {
        counts.failed++
        const why = error instanceof Error ? error.message : String(error)
        if (errors.length < 20) errors.push(`${text === undefined ? 'GET' : 'POST'} ${path}: ${why}`)
        // A client that is refused at once would otherwise do nothing but ask.
        await sleep(20)
      }
      counts.requests++
      latencies.push(performance.now() - started)
      if (options.pauseMs) await sleep(options.pauseMs)
    }
    agent.destroy()
  }

  const clients = Array.from({ length: options.connections }, (_, number) => client(number))
  return {
    progress: () => ({ ...counts }),
    async stop() {
      stopped = true
      await Promise.all(clients)
      latencies.sort((a, b) => a - b)
      const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
      const latency = { p50: at(0.5), p99: at(0.99), max: at(1) }
      return { ...counts, errors, acknowledged, latency, versions }
    },
  }
}

/**
 * Looks for every acknowledged entry in the guestbooks themselves, not through the balancer.
 *
 * @param instances where each guestbook listens: `{ 'guestbook/0': 'http://127.44.1.20:8080' }`
 * @returns the acknowledged entries that are not on the disk of the instance that acknowledged them, with the same text
 */
export async function findLost(
  acknowledged: readonly Acknowledged[],
  instances: Readonly<Record<string, string>>,
): Promise<Acknowledged[]> {
  const agent = new Agent({ keepAlive: true })
  const kept = new Map<string, string>()
  for (const [instance, url] of Object.entries(instances)) {
    let before: number | undefined
    for (;;) {
      const page = new URL(`/entries?limit=1000${before === undefined ? '' : `&before=${before}`}`, url)
      const entries = JSON.parse(await send(agent, page)) as { id: number; text: string }[]
      for (const entry of entries) kept.set(`${instance} ${entry.id}`, entry.text)
      if (entries.length < 1000) break
      before = entries.at(-1)!.id
    }
  }
  agent.destroy()
  return acknowledged.filter((entry) => kept.get(`${entry.instance} ${entry.id}`) !== entry.text)
}

/** The body of a 2xx answer; everything else is thrown. */
function send(agent: Agent, url: URL, text?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers =
      text === undefined ? {} : { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text) }
    const call = request(url, { agent, method: text === undefined ? 'GET' : 'POST', headers, timeout: timeoutMs })
    call.on('timeout', () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    call.on('error', reject)
    call.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        const status = response.statusCode ?? 0
        if (status >= 200 && status < 300) resolve(body)
        else reject(new Error(`status ${status}: ${body.trim().slice(0, 200)}`))
      })
    })
    call.end(text)
  })
}
