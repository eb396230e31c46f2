import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { Dispatcher } from '../services/planner/dispatch/dispatcher.ts'
import { Planners } from '../services/planner/dispatch/planners.ts'
import { Publisher } from '../services/planner/dispatch/publish.ts'
import { CompileRequests } from '../shared/compile/requests.ts'
import { Ledger } from '../shared/ledger/ledger.ts'
import type { Plan } from '../shared/model/plan.ts'
import { Queues } from '../shared/queue/queues.ts'
import { connectRedis, type RedisSettings } from '../shared/redis.ts'
import { startRedis } from '../test/support/redis.ts'

/** Redis with fsync always, a dispatcher in this process, and assemblers in processes of their own. */
export interface Stack {
  redis: Redis
  settings: RedisSettings
  ledger: Ledger
  /** Stores and opens a plan, waits until it is done, and returns its milliseconds from opening to done. */
  run(plan: Plan): Promise<number>
  stop(): Promise<void>
}

export async function startStack(assemblers = 1): Promise<Stack> {
  const server = await startRedis()
  const settings = { url: server.url, prefix: 'bench' }
  const home = await mkdtemp(join(tmpdir(), 'remodel-bench-'))
  const connections = [0, 1, 2, 3].map(() => connectRedis(settings, 'service'))
  const [redis, steady, subscriber, waiter] = connections as [Redis, Redis, Redis, Redis]
  const ledger = new Ledger(redis, settings)
  const planners = new Planners(steady, settings, 'bench')
  await planners.start()
  const queues = new Queues(steady, settings)
  const dispatcher = new Dispatcher({
    ledger: new Ledger(steady, settings),
    publisher: new Publisher(new Ledger(steady, settings), queues, new CompileRequests(steady, settings)),
    planners,
    subscriber,
    log: pino({ level: 'warn' }, pino.destination(2)),
  })
  await dispatcher.start()
  const workers = await Promise.all(Array.from({ length: assemblers }, () => startAssembler(settings, home)))
  return {
    redis,
    settings,
    ledger,
    async run(drawn) {
      const plan = await ledger.store(drawn, Date.now())
      const last = (await ledger.events(plan.deployment, 0)).at(-1)?.seq ?? 0
      const started = performance.now()
      const opened = await ledger.open(plan.deployment, plan.id, { holder: 'bench', message: '' })
      if (opened.status !== 'ok') throw new Error(`plan ${plan.id}: ${JSON.stringify(opened)}`)
      for (let after = last; ; ) {
        const events = await ledger.events(plan.deployment, after, { blockMs: 5000, on: waiter, limit: 10_000 })
        const end = events.find((event) => event.type === 'plan.done' || event.type === 'plan.failed')
        if (end?.type === 'plan.failed') throw new Error(`plan ${plan.id} failed`)
        if (end) return performance.now() - started
        after = events.at(-1)?.seq ?? after
      }
    },
    async stop() {
      for (const worker of workers) {
        worker.kill('SIGTERM')
        await once(worker, 'exit')
      }
      await dispatcher.stop()
      await planners.stop()
      await queues.close()
      for (const connection of connections) connection.disconnect()
      await server.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

async function startAssembler(settings: RedisSettings, home: string): Promise<ChildProcess> {
  return startService('assembler', {
    REDIS_URL: settings.url,
    REMODEL_PREFIX: settings.prefix,
    REMODEL_HOME: home,
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
