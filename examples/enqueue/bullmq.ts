import { readFile } from 'node:fs/promises'
import { Queue, QueueEvents } from 'bullmq'

/** Deploys hello/ with nothing but BullMQ, as any program in any repository can: node examples/enqueue/bullmq.ts */
const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
const manifest = new URL('./hello/manifest.yml', import.meta.url)
// The prefix has braces: it is one hash tag, so that a queue stays in one slot of a Redis Cluster.
const where = { connection: { url }, prefix: '{remodel}' }

const deploys = new Queue('deploys', where)
const events = new QueueEvents('deploys', where)

const job = await deploys.add(
  'deploy hello',
  {
    manifest: { name: 'manifest.yml', content: await readFile(manifest, 'utf8') },
    by: { kind: 'service', name: 'examples/enqueue' },
    message: 'enqueued with BullMQ',
  },
  // A deployment that another plan holds is tried again for a minute.
  { attempts: 12, backoff: { type: 'fixed', delay: 5000 } },
)
console.log(`job ${job.id} is in the queue`)

const { plan, deployment, remodels } = await job.waitUntilFinished(events, 60_000)
console.log(`${deployment}: plan ${plan} of ${remodels} remodels is running; remodel task ${plan} --follow`)

await Promise.all([deploys.close(), events.close()])
