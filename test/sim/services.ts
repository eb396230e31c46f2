import './hook.ts'
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Step } from '../../kinds/contract/step.ts'
import { execute } from '../../services/assembler/executor.ts'
import { Hands, handName } from '../../services/assembler/hands.ts'
import { CircuitBreaker } from '../../services/compiler/circuit-breaker.ts'
import { VmLease } from '../../services/compiler/lease.ts'
import { CompilePool } from '../../services/compiler/pool.ts'
import { serveKey } from '../../services/compiler/serve.ts'
import { sweepCompileVms } from '../../services/compiler/sweep.ts'
import { Dispatcher } from '../../services/planner/dispatch/dispatcher.ts'
import { startPaying } from '../../services/planner/dispatch/owing.ts'
import { Publisher } from '../../services/planner/dispatch/publish.ts'
import { Workers } from '../../services/planner/dispatch/workers.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { CompileRequests } from '../../shared/compilation/requests.ts'
import { Aborts } from '../../shared/ledger/aborts.ts'
import { EpochWatch, type SeenMemory, tellEpochs } from '../../shared/ledger/epoch.ts'
import { Ledger, type LedgerSizes } from '../../shared/ledger/ledger.ts'
import { OwedFences } from '../../shared/ledger/owed.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { Claims } from '../../shared/lock/claims.ts'
import { inVersion } from '../../shared/model/input-version.ts'
import type { Queues } from '../../shared/queue/queues.ts'
import { Division } from '../../shared/runtime/division.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import type { RedisSettings } from '../../shared/runtime/redis.ts'
import { Secrets } from '../../shared/runtime/secrets.ts'
import type { QueueModel } from './queue/model.ts'
import { SimQueue, SimWorker } from './queue/worker.ts'
import type { RedisClient } from './redis/client.ts'
import type { Process } from './scheduler.ts'
import type { World } from './world.ts'

export const settings: RedisSettings = { url: 'redis://simulated', prefix: 'sim' }

/** What a simulated service stands on. */
export interface Ground {
  process: Process
  connect(): RedisClient
  queues: { assemble: QueueModel; compile: QueueModel }
  world: World
  /** How large the pieces are that the ledger's scripts work in. */
  sizes: LedgerSizes
  /** How many jobs an assembler works on at a time. */
  concurrency: number
  compileMs(key: string): number
  /** Where planners keep what outlives Redis. */
  memory: SeenMemory
  say(what: string): void
}

export interface Running {
  stop(): Promise<void>
}

/** The services, put together as their `main.ts` do, on simulated connections. */
export const services: Record<'planner' | 'assembler' | 'compiler', (ground: Ground) => Promise<Running>> = {
  async planner(ground) {
    const [steady, subscriber] = [asRedis(ground.connect()), asRedis(ground.connect())]
    const planners = new Division(steady, settings, { role: 'planners', self: ground.process.name })
    await planners.start()
    const client = steady as unknown as RedisClient
    const queues = {
      assemble: new SimQueue(ground.queues.assemble, client),
      compile: new SimQueue(ground.queues.compile, client),
    }
    const get = (name: string) => queues[name as 'assemble' | 'compile']
    const publisher = new Publisher(
      new Ledger(steady, settings, ground.sizes),
      { get, turn: (name: string) => get(name).turn() } as unknown as Queues,
      new CompileRequests(steady, settings),
    )
    const ledger = new Ledger(steady, settings, ground.sizes)
    const workers = new Workers(steady, settings)
    const dispatcher = new Dispatcher({
      ledger,
      publisher,
      planners,
      subscriber,
      log: logOf(ground),
      stranded: { clear: (name, ids) => get(name).clearEnded(ids) },
      workers,
      // What `AbandonedJobs` does by BullMQ's keys, on the model.
      abandoned: {
        async free() {
          for (const queue of Object.values(queues)) {
            const holders = await queue.holders()
            if (holders.length > 0) await queue.freeOf(await workers.gone(holders))
          }
        },
      },
    })
    await dispatcher.start()
    const watch = new EpochWatch({
      redis: steady,
      fences: [ledger.fences],
      settings,
      memory: ground.memory,
      log: logOf(ground),
    })
    await watch.start()
    const provider = ground.world.provider(ground.process, ground.compileMs)
    const paying = await startPaying({
      ...{ ledger, owed: new OwedFences(ledger, provider) },
      ...{ planners, subscriber, log: logOf(ground) },
    })
    return {
      async stop() {
        paying.stop()
        watch.stop()
        await dispatcher.stop()
        await planners.stop()
      },
    }
  },

  async assembler(ground) {
    const [redis, subscriber] = [asRedis(ground.connect()), asRedis(ground.connect())]
    const aborts = new Aborts(subscriber, new Ledger(redis, settings))
    await aborts.start(settings)
    const ledger = new Ledger(redis, settings, ground.sizes)
    tellEpochs(redis, settings, ledger.fences)
    // The second assembler, where there is one, is an older one.
    const version = ground.process.name.startsWith('assembler-1') ? 1 : 2
    const heartbeat = new Heartbeat(redis, settings, ground.process.name, {
      queue: 'assemble',
      concurrency: ground.concurrency,
      steps: { 'sim/work': version },
    })
    await heartbeat.start(subscriber)
    const hands = new Hands(ledger)
    const leaving = { begun: false, signal: new AbortController().signal }
    const recorder = new Recorder(ledger, ground.process.name)
    recorder.repeatAfterReconnect(redis)
    const known = ground.world.step(ground.process) as unknown as Step
    const step = { ...known, input: inVersion(version, known.input.clone()) }
    const provider = ground.world.provider(ground.process, ground.compileMs)
    const tools = {
      provider,
      owed: new OwedFences(ledger, provider),
      blobs: ground.world.blobs(ground.process),
      compiled: new RedisCompiledIndex(redis, settings),
      stores: { redis, settings, blobs: ground.world.blobs(ground.process) },
      secrets: new Secrets(Buffer.alloc(32)),
      steps: { find: async () => step },
      heartbeat,
      ledger,
      recorder,
      aborts,
      hands,
      worker: ground.process.name,
      // The simulated queues have no board.
      board: { add: () => {} },
      leaving,
      log: logOf(ground),
    }
    const worker = new SimWorker({
      name: 'assemble',
      queue: ground.queues.assemble,
      redis: redis as unknown as RedisClient,
      concurrency: ground.concurrency,
      ours: (job) => hands.ours(handName(job)),
      process: (job, signal) => execute(job, 'assemble', signal, tools),
      failed: (error) => ground.say(`job: ${error}`),
    })
    worker.start()
    return {
      async stop() {
        leaving.begun = true
        await worker.close()
        await heartbeat.stop()
      },
    }
  },

  async compiler(ground) {
    const [redis, subscriber] = [asRedis(ground.connect()), asRedis(ground.connect())]
    const worker = ground.process.name
    const log = logOf(ground)
    const aborts = new Aborts(subscriber, new Ledger(redis, settings))
    await aborts.start(settings)
    const heartbeat = new Heartbeat(redis, settings, worker, { queue: 'compile', concurrency: 2 })
    await heartbeat.start(subscriber)
    const provider = ground.world.provider(ground.process, ground.compileMs)
    const blobs = ground.world.blobs(ground.process)
    const ledger = new Ledger(redis, settings, ground.sizes)
    tellEpochs(redis, settings, ledger.fences)
    const recorder = new Recorder(ledger, worker)
    recorder.repeatAfterReconnect(redis)
    const lease = new VmLease(redis, settings, worker)
    const pool = new CompilePool({ provider, blobs, worker, capacity: 2, lease, log })
    const tools = {
      worker,
      requests: new CompileRequests(redis, settings),
      compiled: new RedisCompiledIndex(redis, settings),
      blobs,
      provider,
      pool,
      breaker: new CircuitBreaker(log, () => {}),
      claims: new Claims(redis, settings),
      recorder,
      aborts,
      board: { add: () => {} },
      log,
    }
    const jobs = new SimWorker({
      name: 'compile',
      queue: ground.queues.compile,
      redis: redis as unknown as RedisClient,
      concurrency: 2,
      process: ({ key }, signal, job, token) => serveKey(key, { signal, job: job as unknown as Job, token }, tools),
      failed: (error) => ground.say(`job: ${error}`),
    })
    jobs.start()
    const sweep = sweepCompileVms({ provider, worker, pool, lease, log })
    return {
      async stop() {
        sweep.stop()
        await jobs.close()
        await pool.close()
        await Promise.all([lease.stop(), heartbeat.stop()])
      },
    }
  },
}

export function asRedis(client: RedisClient): Redis {
  return client as unknown as Redis
}

function logOf(ground: Ground): Logger {
  const log = (facts: unknown, text?: string) => {
    const error = (facts as { err?: Error } | null)?.err
    ground.say(`${text ?? facts}${error ? `: ${error.message}` : ''}`)
  }
  const logger = { trace() {}, debug() {}, info: log, warn: log, error: log, fatal: log, child: () => logger }
  return logger as unknown as Logger
}
