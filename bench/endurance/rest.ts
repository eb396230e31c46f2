import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Client } from '../../cli/client.ts'
import type { ChaosStack } from '../../test/chaos/stack.ts'
import { heldBy } from '../process.ts'

/** What is there while nothing is deployed and retention and clean-up have been. */
export interface AtRest {
  /** Keys that stay for ever, of the same shape together: ids are left out. Finished jobs of queues are not among them. */
  keys: Map<string, number>
  /** Keys that go by themselves. */
  passing: number
  /** Finished jobs that BullMQ keeps to be looked at: 1,000 of each queue at most. */
  jobs: number
  redisMb: number
  blobsMb: number
  /** Open files, by name of the process. */
  files: Map<string, number>
}

/**
 * Waits until all that is kept for a while is gone, then looks. Retention comes each minute, blobs are old enough after
 * `blobsMs`.
 */
export async function atRest(
  stack: ChaosStack,
  parts: { client: Client; redis: Redis; steady: readonly string[]; blobsMs: number },
): Promise<AtRest> {
  await sleep(Math.max(75_000, parts.blobsMs + 5000))
  // Compiled packages go first; what they were compiled from is old by then too.
  for (let n = 0; n < 2; n++) await parts.client.cleanUp({ all: true })
  const { keys, passing, jobs } = await countKeys(parts.redis)
  const info = await parts.redis.info('memory')
  const slots = stack.slots.filter((slot) => parts.steady.includes(slot.name))
  const files = slots.map(async (slot) => [slot.name, (await heldBy(slot.child!.pid!)).files] as const)
  return {
    keys,
    passing,
    jobs,
    redisMb: Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? Number.NaN) / 2 ** 20,
    blobsMb: (await bytesBelow(join(stack.home, 'blobs'))) / 2 ** 20,
    files: new Map(await Promise.all(files)),
  }
}

/** Of files only: empty folders stay, as many as there are first bytes of a digest. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)))
  return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0)
}

async function countKeys(redis: Redis): Promise<Pick<AtRest, 'keys' | 'passing' | 'jobs'>> {
  const names: string[] = []
  for (let cursor = '0'; ; ) {
    const [next, page] = await redis.scan(cursor, 'COUNT', 1000)
    names.push(...page)
    cursor = next
    if (cursor === '0') break
  }
  const finished = new Set<string>()
  for (const list of names.filter((name) => /^\{[^}]+\}:[^:]+:(completed|failed)$/.test(name))) {
    const queue = list.slice(0, list.lastIndexOf(':'))
    for (const id of await redis.zrange(list, '0', '-1')) finished.add(`${queue}:${id}`)
  }
  const kept = [...new Set(names)].filter((name) => !finished.has(name))
  const lives = await Promise.all(kept.map((name) => redis.pttl(name)))
  const keys = new Map<string, number>()
  let passing = 0
  for (const [i, name] of kept.entries()) {
    // Gone meanwhile, or going by itself.
    if (lives[i] !== -1) passing += 1
    else keys.set(shapeOf(name), (keys.get(shapeOf(name)) ?? 0) + 1)
  }
  return { keys, passing, jobs: finished.size }
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
