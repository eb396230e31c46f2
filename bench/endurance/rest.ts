import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Client } from '../../shared/api/client.ts'
import type { ChaosStack } from '../../test/chaos/stack.ts'
import { type Held, heldBy } from '../process.ts'
import { type Retained, retainedBy } from './inspected.ts'

/** What is there while nothing is deployed and retention and clean-up have been. */
export interface AtRest {
  /**
   * Keys that stay for ever, of the same shape together: ids are left out. Finished jobs of queues are not among them.
   */
  keys: Map<string, number>
  /** Keys that go by themselves. */
  passing: number
  /** Finished jobs that BullMQ keeps to be looked at: 1,000 of each queue at most. */
  jobs: number
  /** Memory of Redis by what it is for, in MB; together they are all that it uses. */
  redis: { queues: number; passing: number; kept: number; rest: number }
  blobsMb: number
  /** Of each process: what it holds, and what of it is left after a full collection. */
  processes: Map<string, { held: Held; retained: Retained }>
}

/**
 * Waits until all that is kept for a while is gone, then looks. Retention comes each minute, blobs are old enough after
 * `blobsMs`.
 */
export async function atRest(
  stack: ChaosStack,
  parts: { client: Client; redis: Redis; inspectors: ReadonlyMap<string, string>; blobsMs: number },
): Promise<AtRest> {
  await sleep(Math.max(75_000, parts.blobsMs + 5000))
  // Compiled packages go first; what they were compiled from is old by then too.
  for (let n = 0; n < 2; n++) await parts.client.cleanUp({ all: true })
  const { keys, passing, jobs, mb } = await countKeys(parts.redis)
  const info = await parts.redis.info('memory')
  const usedMb = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? Number.NaN) / 2 ** 20
  const processes = new Map<string, { held: Held; retained: Retained }>()
  for (const [name, url] of parts.inspectors) {
    const retained = await retainedBy(url)
    const slot = stack.slots.find((one) => one.name === name)
    processes.set(name, { held: await heldBy(slot!.child!.pid!), retained })
  }
  return {
    keys,
    passing,
    jobs,
    redis: { ...mb, rest: usedMb - mb.queues - mb.passing - mb.kept },
    blobsMb: (await bytesBelow(join(stack.home, 'blobs'))) / 2 ** 20,
    processes,
  }
}

/** Of files only: empty folders stay, as many as there are first bytes of a digest. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)))
  return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0)
}

interface Counted extends Pick<AtRest, 'keys' | 'passing' | 'jobs'> {
  mb: Omit<AtRest['redis'], 'rest'>
}

async function countKeys(redis: Redis): Promise<Counted> {
  const names = new Set<string>()
  for (let cursor = '0'; ; ) {
    const [next, page] = await redis.scan(cursor, 'COUNT', 1000)
    for (const name of page) names.add(name)
    cursor = next
    if (cursor === '0') break
  }
  const finished = new Set<string>()
  const lists = [...names].filter((name) => /^\{[^}]+\}:[^:]+:(completed|failed)$/.test(name))
  for (const list of lists) {
    const queue = list.slice(0, list.lastIndexOf(':'))
    for (const id of await redis.zrange(list, '0', '-1')) finished.add(`${queue}:${id}`)
  }
  const keys = new Map<string, number>()
  const bytes = { queues: 0, passing: 0, kept: 0 }
  let passing = 0
  for (const name of names) {
    const [life, size] = await Promise.all([redis.pttl(name), redis.memory('USAGE', name)])
    const isQueue = name.startsWith('{')
    if (isQueue) bytes.queues += size ?? 0
    // A job's log is a key of its own and goes with it.
    if (finished.has(name.replace(/:logs$/, '')) || lists.includes(name)) continue
    if (life === -1) {
      if (!isQueue) bytes.kept += size ?? 0
      keys.set(shapeOf(name), (keys.get(shapeOf(name)) ?? 0) + 1)
    } else {
      // It goes by itself, or is gone meanwhile.
      passing += 1
      if (!isQueue) bytes.passing += size ?? 0
    }
  }
  const mb = { queues: bytes.queues / 2 ** 20, passing: bytes.passing / 2 ** 20, kept: bytes.kept / 2 ** 20 }
  return { keys, passing, jobs: finished.size, mb }
}

/** `remodel:{life1}:plan:k3x...:graph` and its like of another plan have one shape. */
function shapeOf(name: string): string {
  return name.replace(/[0-9a-f]{40,}/g, '<key>').replace(/:plan:[^:]+/, ':plan:<id>')
}

/** How many keys of each shape there are more than before; those that are fewer do not make up for them. */
export function above(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): Map<string, number> {
  return new Map(
    [...now].map(([shape, count]) => [shape, count - (before.get(shape) ?? 0)] as const).filter(([, more]) => more > 0),
  )
}
