import { setTimeout as sleep } from 'node:timers/promises'
import { connectRedis } from '../shared/runtime/redis.ts'
import { ChaosStack, type Slot } from '../test/chaos/stack.ts'
import { Random } from '../test/sim/random.ts'
import { explanation, grown } from './endurance/explanation.ts'
import { inspectorFlags, inspectorOf } from './endurance/inspected.ts'
import { emptyTally, Life, upload } from './endurance/life.ts'
import { type AtRest, above, atRest } from './endurance/rest.ts'
import { Samples } from './endurance/samples.ts'
import { atMost, type Figure, noted } from './figure.ts'

const bench = 'endurance'
const sampleMs = 10_000
/** Retention is set so small that it works all the time. */
const keepPlans = 2
const blobsMs = 120_000
const deployments = 4

/**
 * Deploys without end for a number of minutes: does anything grow?
 *
 * Of each service one process lives through all of it and is measured; another is killed each five to ten seconds
 * and followed by a new one. After a warm-up everything is removed and retention waited for: what is there then
 * is the baseline. In the middle and at the end the same again, and what a full collection leaves is compared:
 * what grows towards a bound grows less in the second half. Samples, and a table of all memory by purpose, are
 * written to standard error.
 */
export async function run({ minutes }: { minutes: number }): Promise<Figure[]> {
  const died: string[] = []
  let closing = false
  const stack = await ChaosStack.start({
    ended: (slot, how) => {
      if (isSteady(slot) && !closing) died.push(`${slot.name}: ${how}`)
    },
    counts: { planner: 2, compiler: 2, assembler: 2 },
    restartMs: () => 500,
    env: (slot) => ({
      ...(isSteady(slot) ? { NODE_OPTIONS: inspectorFlags } : {}),
      REMODEL_KEEP_PLANS: String(keepPlans),
      REMODEL_KEEP_BLOBS_DAYS: String(blobsMs / 86_400_000),
    }),
  })
  const redis = connectRedis({ url: stack.redis.url, prefix: 'remodel' }, 'service')
  const watch = new AbortController()
  const stopped = Promise.withResolvers<never>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.reject(new Error(signal)))
  try {
    return await Promise.race([stopped.promise, measure()])
  } finally {
    closing = true
    watch.abort()
    redis.disconnect()
    await stack.close()
  }

  async function measure(): Promise<Figure[]> {
    const steady = stack.slots.filter(isSteady)
    const names = steady.map((slot) => slot.name)
    const inspectors = new Map(steady.map((slot) => [slot.name, inspectorOf(slot.lines) ?? '']))
    const [client] = stack.clients()
    await upload(client!)
    const tally = emptyTally()
    const samples = new Samples()
    const random = new Random(Date.now())
    const lives = Array.from({ length: deployments }, (_, i) => {
      const name = `life${i + 1}`
      return new Life(name, {
        net: 100 + i,
        client: client!,
        random: random.fork(name),
        tally,
        tell: (what) => tell(samples, what),
      })
    })
    let kills = 0
    const watching = [
      each(sampleMs, watch.signal, async () => {
        for (const slot of steady) await samples.take(slot.name, slot.child!.pid!)
        await samples.take('redis', stack.redis.pid())
      }),
      each(60_000, watch.signal, async () => {
        await client!.cleanUp({ all: Math.floor(samples.minute()) % 3 === 0 }).catch(() => {})
        tell(samples, { ...tally, kills, keys: await redis.dbsize(), rss: rssNow(samples, names) })
      }),
    ]

    const period = async (until: number) => {
      const over = () => samples.minute() >= until
      const victims = stack.slots.filter((slot) => !isSteady(slot))
      const killing = (async () => {
        while (!over()) {
          await sleep(random.int(5000, 10_000))
          const victim = random.pick(victims)
          victim.signal('SIGKILL')
          kills += 1
        }
      })()
      await Promise.all([killing, ...lives.map((life) => life.live(over, [3000, 7000]))])
      await Promise.all(lives.map((life) => life.settle()))
      const rest = await atRest(stack, { client: client!, redis, inspectors, blobsMs })
      await upload(client!)
      return rest
    }
    const baseline = await period(Math.max(1, minutes / 6))
    tell(samples, { baseline: figuresOf(baseline) })
    const warm = samples.minute()
    const middle = await period(warm + (minutes * 5) / 12)
    tell(samples, { middle: figuresOf(middle) })
    const busyUntil = samples.minute() + (minutes * 5) / 12
    const end = await period(busyUntil)
    tell(samples, { end: figuresOf(end), ...tally })
    const rests = [baseline, middle, end] as const
    for (const line of explanation(rests)) console.error(line)
    watch.abort()
    await Promise.all(watching)

    const more = above(baseline.keys, end.keys)
    for (const [shape, count] of more) tell(samples, { 'keys above the baseline': `${count} ${shape}` })
    const against = `over ${Math.round(busyUntil - warm)} minutes after the warm-up`
    const note = (what: string, value: number, unit: string, of: string) =>
      noted({ bench, case: what, value, unit, against: of })
    return [
      ...[...names, 'redis'].map((name) => {
        const middle = Math.round(samples.middle(name, warm, busyUntil))
        const figure = {
          bench,
          case: `${name}, growth of memory`,
          value: samples.slope(name, warm, busyUntil),
          unit: 'MB a minute',
        }
        return noted({ ...figure, against: `${against}; ${middle} MB in the middle` })
      }),
      ...names.map((name) => {
        const value = end.processes.get(name)!.held.files - baseline.processes.get(name)!.held.files
        return atMost(
          {
            bench,
            case: `${name}, more open files`,
            value,
            unit: 'files',
            against: `${baseline.processes.get(name)!.held.files} at rest`,
          },
          0,
        )
      }),
      ...grown(bench, rests),
      atMost(
        {
          bench,
          case: 'keys in Redis above the baseline',
          value: [...more.values()].reduce((sum, count) => sum + count, 0),
          unit: 'keys',
          against: `${sumOf(baseline)} at rest, after retention`,
        },
        0,
      ),
      note('keys that go by themselves', end.passing, 'keys', `${baseline.passing} at the baseline`),
      note('finished jobs kept in queues', end.jobs, 'jobs', `${baseline.jobs} at the baseline; bounded`),
      note('memory of Redis at rest', redisMb(end), 'MB', `${redisMb(baseline).toFixed(1)} MB at the baseline`),
      atMost(
        {
          bench,
          case: 'redis, more in keys that stay, second half',
          value: end.redis.kept - middle.redis.kept,
          unit: 'MB',
          against: `${baseline.redis.kept.toFixed(2)} MB at the baseline`,
        },
        0.1,
      ),
      note('blobs after clean-up', end.blobsMb, 'MB', `${baseline.blobsMb.toFixed(1)} MB at the baseline`),
      note('deploys done', tally.done, 'deploys', `and ${tally.removed} removals; ${kills} processes were killed`),
      note('deploys failed as told', tally.failed, 'deploys', `and ${tally.cancelled} cancelled`),
      note(
        'tries made again',
        Object.values(tally.again).reduce((a, b) => a + b, 0),
        'tries',
        JSON.stringify(tally.again),
      ),
      atMost(
        { bench, case: 'deploys that never came true', value: tally.lost.length, unit: 'deploys', against: 'none' },
        0,
      ),
    ]
  }
}

function isSteady(slot: Slot): boolean {
  return slot.name.endsWith('-1')
}

/** Does something again and again until told to stop. What fails once (a process that just ended) is passed over. */
async function each(ms: number, stop: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!stop.aborted) {
    await sleep(ms, undefined, { signal: stop }).catch(() => {})
    if (!stop.aborted) await work().catch((error) => console.error(error))
  }
}

function tell(samples: Samples, what: object): void {
  console.error(`${samples.minute().toFixed(1).padStart(6)} min ${JSON.stringify(what)}`)
}

function rssNow(samples: Samples, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...names, 'redis'].map((name) => [
      name,
      Math.round(samples.middle(name, samples.minute() - 0.4, samples.minute())),
    ]),
  )
}

function figuresOf(rest: AtRest): object {
  return { ...rest, keys: sumOf(rest), processes: Object.fromEntries(rest.processes) }
}

function redisMb({ redis }: AtRest): number {
  return Object.values(redis).reduce((sum, mb) => sum + mb, 0)
}

function sumOf({ keys }: AtRest): number {
  return [...keys.values()].reduce((sum, count) => sum + count, 0)
}
