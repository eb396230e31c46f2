import { fork } from 'node:child_process'
import { once } from 'node:events'
import { FlowProducer, Queue, QueueEvents, Worker } from 'bullmq'
import { connectRedis, type RedisSettings } from '../shared/runtime/redis.ts'

/** BullMQ by itself on the same Redis: the same shapes of no-op jobs, worked off by one worker process. */
export interface Baseline {
  /** Milliseconds to add `count` jobs and have them processed. */
  bare(count: number): Promise<number>
  /** Milliseconds for one job, then a flow of `width` children under one parent. */
  fan(width: number): Promise<number>
  /** Milliseconds for a chain of `length` jobs as a flow. */
  chain(length: number): Promise<number>
  stop(): Promise<void>
}

const queueName = 'baseline'
const prefix = '{baseline}'

export async function startBaseline(settings: RedisSettings): Promise<Baseline> {
  const child = fork(new URL(import.meta.url).pathname, ['worker', settings.url], { stdio: 'inherit' })
  await once(child, 'message')
  const connection = connectRedis(settings, 'service')
  const queue = new Queue(queueName, { connection, prefix })
  const flows = new FlowProducer({ connection, prefix })
  const events = new QueueEvents(queueName, { connection: connectRedis(settings, 'service'), prefix })
  await events.waitUntilReady()
  let serial = 0

  const done = (id: string) =>
    new Promise<void>((resolve) => events.on('completed', ({ jobId }) => jobId === id && resolve()))
  const timed = async (work: () => Promise<void>) => {
    const started = performance.now()
    await work()
    return performance.now() - started
  }
  return {
    bare: (count) =>
      timed(async () => {
        const run = ++serial
        let left = count
        const all = new Promise<void>((resolve) =>
          events.on('completed', ({ jobId }) => {
            if (jobId.startsWith(`bare-${run}-`) && --left === 0) resolve()
          }),
        )
        await queue.addBulk(
          Array.from({ length: count }, (_, i) => ({ name: 'noop', data: {}, opts: { jobId: `bare-${run}-${i}` } })),
        )
        await all
        events.removeAllListeners('completed')
      }),
    fan: (width) =>
      timed(async () => {
        const run = ++serial
        const [first, last] = [done(`first-${run}`), done(`last-${run}`)]
        await queue.add('noop', {}, { jobId: `first-${run}` })
        await first
        await flows.add({
          name: 'noop',
          queueName,
          opts: { jobId: `last-${run}` },
          children: Array.from({ length: width }, () => ({ name: 'noop', queueName })),
        })
        await last
        events.removeAllListeners('completed')
      }),
    chain: (length) =>
      timed(async () => {
        const run = ++serial
        const end = done(`end-${run}`)
        let flow: Parameters<FlowProducer['add']>[0] = { name: 'noop', queueName }
        for (let i = 1; i < length; i++) {
          flow = {
            name: 'noop',
            queueName,
            children: [flow],
            ...(i === length - 1 ? { opts: { jobId: `end-${run}` } } : {}),
          }
        }
        await flows.add(flow)
        await end
        events.removeAllListeners('completed')
      }),
    async stop() {
      child.disconnect()
      await once(child, 'exit')
      await Promise.all([queue.close(), flows.close(), events.close()])
      connection.disconnect()
    },
  }
}

if (process.argv[2] === 'worker') {
  const connection = connectRedis({ url: process.argv[3]!, prefix: 'baseline' }, 'service')
  const worker = new Worker(queueName, async () => 'done', {
    connection,
    prefix,
    concurrency: 50,
    removeOnComplete: { count: 1000 },
  })
  await worker.waitUntilReady()
  process.send?.('ready')
  process.on('disconnect', async () => {
    await worker.close()
    connection.disconnect()
  })
}
