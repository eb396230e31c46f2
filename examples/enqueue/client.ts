import { readFile } from 'node:fs/promises'
import { enqueueDeploy } from '../../shared/api/enqueue.ts'

/** Deploys hello/ through the small client: node examples/enqueue/client.ts */
const manifest = new URL('./hello/manifest.yml', import.meta.url)

const job = await enqueueDeploy({
  redisUrl: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
  manifest: { name: 'manifest.yml', content: await readFile(manifest, 'utf8') },
  by: { kind: 'service', name: 'examples/enqueue' },
  message: 'enqueued by the client',
  attempts: 12,
})
console.log(`job ${job.id} is in the queue`)

const { plan, deployment, remodels } = await job.result()
console.log(`${deployment}: plan ${plan} of ${remodels} remodels is running; remodel task ${plan} --follow`)
