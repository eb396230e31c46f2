import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Redis } from 'ioredis'
import { Ledger } from '../shared/ledger/ledger.ts'
import type { Plan } from '../shared/model/plan.ts'
import { connectRedis, type RedisSettings } from '../shared/runtime/redis.ts'
import { person } from '../test/support/actors.ts'
import { startRedis } from '../test/support/redis.ts'
import { heldBy } from './process.ts'

/** Redis with fsync always, a planner and assemblers in processes of their own. */
export interface Stack {
  redis: Redis
  settings: RedisSettings
  ledger: Ledger
  /** Stores and opens a plan, waits until it is done, and returns its milliseconds from opening to done. */
  run(plan: Plan): Promise<number>
  /** The most memory that the planner's process ever had, in MB. */
  plannerMb(): Promise<number>
  stop(): Promise<void>
}

/** @param options.clocked Scripts of the services note what they took (`script-clock.ts`). */
export async function startStack({ clocked = false } = {}): Promise<Stack> {
  const server = await startRedis()
  const settings = { url: server.url, prefix: 'bench' }
  const home = await mkdtemp(join(tmpdir(), 'remodel-bench-'))
  const [redis, waiter] = [connectRedis(settings, 'service'), connectRedis(settings, 'service')]
  const ledger = new Ledger(redis, settings)
  const clock = new URL('./script-clock.ts', import.meta.url).href
  const env = {
    ...{ REDIS_URL: settings.url, REMODEL_PREFIX: settings.prefix, REMODEL_HOME: home },
    ...(clocked ? { NODE_OPTIONS: `--import ${clock}` } : {}),
  }
  const planner = await startService('planner', { ...env, REMODEL_LISTEN: '127.0.0.1:0' })
  const assembler = await startAssembler(env)
  return {
    redis,
    settings,
    ledger,
    async run(drawn) {
      const plan = await ledger.store(drawn, Date.now())
      const last = (await ledger.events(plan.deployment, 0)).at(-1)?.seq ?? 0
      const started = performance.now()
      const opened = await ledger.open(plan.deployment, plan.id, { by: person('bench'), message: '' })
      if (opened.status !== 'ok') throw new Error(`plan ${plan.id}: ${JSON.stringify(opened)}`)
      for (let after = last; ; ) {
        const events = await ledger.events(plan.deployment, after, { blockMs: 5000, on: waiter, limit: 10_000 })
        const end = events.find((event) => event.type === 'plan.done' || event.type === 'plan.failed')
        if (end?.type === 'plan.failed') throw new Error(`plan ${plan.id} failed`)
        if (end) return performance.now() - started
        after = events.at(-1)?.seq ?? after
      }
    },
    plannerMb: async () => (await heldBy(planner.pid!)).peakMb,
    async stop() {
      for (const service of [assembler, planner]) {
        service.kill('SIGTERM')
        await once(service, 'exit')
      }
      redis.disconnect()
      waiter.disconnect()
      await server.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

async function startAssembler(env: Record<string, string>): Promise<ChildProcess> {
  return startService('assembler', {
    ...env,
    REMODEL_CONCURRENCY: '50',
    REMODEL_EXTENSIONS: new URL('./noop.ts', import.meta.url).pathname,
  })
}

/** Starts a service and waits until it says that it is ready. */
async function startService(name: string, env: Record<string, string>): Promise<ChildProcess> {
  const main = new URL(`../services/${name}/main.ts`, import.meta.url).pathname
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise<void>((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line.includes('is ready')) resolve()
    })
  })
  return child
}
