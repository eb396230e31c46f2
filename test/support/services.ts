import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findPlanner } from '../../shared/api/address.ts'
import { Client } from '../../shared/api/client.ts'
import { LocalProvider } from '../../shared/provider/local/index.ts'
import { startRedis, type TestRedis } from './redis.ts'

export type ServiceName = 'planner' | 'compiler' | 'assembler'

/** A process of a service, and what it wrote. */
export interface Service {
  name: ServiceName
  process: ChildProcess
  log: string[]
  kill(signal: NodeJS.Signals): Promise<void>
}

/** A Remodel of a test's own: Redis, a home, and services as real processes that may be killed and started again. */
export interface TestStack {
  redis: TestRedis
  home: string
  provider: LocalProvider
  services: Service[]
  start(name: ServiceName, env?: Record<string, string>): Promise<Service>
  /** A client of the planner that was started last. */
  client(): Client
  /** Ends everything, takes every machine away, and fails the test where something was left behind. */
  stop(): Promise<void>
}

export async function startServices(
  counts: Partial<Record<ServiceName, number>> = { planner: 1, compiler: 1, assembler: 1 },
  env: Record<string, string> = {},
): Promise<TestStack> {
  const redis = await startRedis()
  const home = await mkdtemp(join(tmpdir(), 'remodel-test-'))
  const provider = new LocalProvider({ directory: join(home, 'machines') })
  const services: Service[] = []
  const start = async (name: ServiceName, more: Record<string, string> = {}) => {
    const service = await startService(name, {
      REDIS_URL: redis.url,
      REMODEL_HOME: home,
      REMODEL_LISTEN: '127.0.0.1:0',
      ...env,
      ...more,
    })
    services.push(service)
    return service
  }
  try {
    for (const [name, count] of Object.entries(counts)) {
      await Promise.all(Array.from({ length: count }, () => start(name as ServiceName)))
    }
  } catch (error) {
    for (const service of services) await service.kill('SIGKILL')
    await redis.stop()
    throw error
  }
  return {
    redis,
    home,
    provider,
    services,
    start,
    client: () =>
      new Client({
        ...findPlanner(JSON.parse(readFileSync(join(home, 'planner.json'), 'utf8')).url, home),
        redis: redis.url,
      }),
    async stop() {
      await Promise.all(services.map((service) => service.kill('SIGTERM')))
      for (const vm of await provider.listVms()) await provider.deleteVm(vm.id, null)
      await redis.stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

async function startService(name: ServiceName, env: Record<string, string>): Promise<Service> {
  const main = new URL(`../../services/${name}/main.ts`, import.meta.url).pathname
  const child = spawn(process.execPath, [main], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const log: string[] = []
  const ready = new Promise<void>((resolve, reject) => {
    child.on('exit', (code, signal) => reject(new Error(`${name} ended with ${code ?? signal}:\n${log.join('\n')}`)))
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        log.push(line)
        if (line.includes('is ready')) resolve()
      })
    }
  })
  const service: Service = {
    name,
    process: child,
    log,
    async kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
  }
  await ready
  return service
}

/** Waits until a plan is over; answers its state. */
export async function settled(client: Client, plan: string, timeoutMs = 60_000): Promise<string> {
  const until = performance.now() + timeoutMs
  for (;;) {
    try {
      const { status } = await client.planView(plan)
      if (['done', 'failed', 'cancelled'].includes(status.state)) return status.state
    } catch (error) {
      // The planner or Redis may be the one that was killed.
      if (performance.now() >= until) throw error
    }
    if (performance.now() >= until) throw new Error(`plan ${plan} is not over after ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
