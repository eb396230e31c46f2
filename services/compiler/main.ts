import { variablesOfKinds } from '../../kinds/variables.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { PrewarmHints } from '../../shared/compilation/prewarm-hints.ts'
import { Rebuilds } from '../../shared/compilation/rebuilds.ts'
import { CompileRequests } from '../../shared/compilation/requests.ts'
import { SoundPackages } from '../../shared/compilation/sound-packages.ts'
import { Aborts } from '../../shared/ledger/aborts.ts'
import { tellEpochs } from '../../shared/ledger/epoch.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { Claims } from '../../shared/lock/claims.ts'
import { EndedJobs } from '../../shared/queue/ended-jobs.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { startWorker } from '../../shared/queue/worker.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import { homeDirectory, openHome } from '../../shared/runtime/home.ts'
import { processId } from '../../shared/runtime/ids.ts'
import { Leaving } from '../../shared/runtime/leaving.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { openBlobstore, openProvider } from '../../shared/runtime/machine.ts'
import { connectRedis, redisSettings } from '../../shared/runtime/redis.ts'
import { runService } from '../../shared/runtime/service.ts'
import { numberSetting } from '../../shared/runtime/settings.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { idlePolicy } from './idle-policy.ts'
import { VmLease } from './lease.ts'
import { CompilePool } from './pool.ts'
import { prewarm } from './prewarm.ts'
import { rebuild } from './rebuild.ts'
import { serveKey } from './serve.ts'
import { sweepCompileVms } from './sweep.ts'

/**
 * The compiler: claims package keys and compiles them on VMs of its own, one for each package it works on at a time
 * (REMODEL_CONCURRENCY, 4 by default). How many compile at once for a deployment is the plan's business.
 */
const id = processId('compiler')
const log = createLog('compiler', { worker: id })
const claimMs = 3000

await runService(log, variablesOfKinds, async () => {
  await openHome(homeDirectory(), (sentence) => log.warn(sentence))
  const settings = redisSettings()
  const concurrency = numberSetting('REMODEL_CONCURRENCY') ?? 4
  const keep = idlePolicy()
  const redis = connectRedis(settings, 'service')
  const subscriber = connectRedis(settings, 'service')
  const ledger = new Ledger(redis, settings)
  const aborts = new Aborts(subscriber, ledger)
  await aborts.start(settings)
  const heartbeat = new Heartbeat(redis, settings, id, { queue: 'compile', concurrency })
  await heartbeat.start(subscriber)
  const [provider, blobs] = await Promise.all([openProvider(log), openBlobstore()])
  const queues = new Queues(redis, settings)
  const waiting = async () => {
    const counts = await queues.get('compile').getJobCounts('waiting', 'prioritized')
    return (counts.waiting ?? 0) + (counts.prioritized ?? 0)
  }
  const leave = new Leaving()
  const lease = new VmLease(redis, settings, id)
  const pool = new CompilePool({ provider, blobs, worker: id, capacity: concurrency, lease, log, keep, waiting })
  let resting: NodeJS.Timeout | undefined
  const breaker = new CircuitBreaker(log, (ms) => {
    const workers = [worker, rebuilds]
    for (const one of workers) void one.pause(true)
    clearTimeout(resting)
    resting = setTimeout(() => {
      for (const one of workers) void one.resume()
    }, ms)
  })
  tellEpochs(redis, settings, ledger.fences)
  const recorder = new Recorder(ledger, id)
  recorder.repeatAfterReconnect(redis)
  const unseen = 'the board does not show a further subscriber of a package'
  const board = new EndedJobs(redis, settings, (err) => log.debug({ err }, unseen))
  const tools = {
    worker: id,
    requests: new CompileRequests(redis, settings),
    rebuilds: new Rebuilds(redis, settings),
    compiled: new SoundPackages(new RedisCompiledIndex(redis, settings), blobs, { read: false }),
    blobs,
    provider,
    pool,
    breaker,
    // As short as the lock of the queue: a killed compiler's package is begun elsewhere as soon as
    // its job is taken over.
    claims: new Claims(redis, settings, claimMs),
    recorder,
    aborts,
    board,
    log,
  }
  const worker = startWorker(
    'compile',
    { redis, settings, name: id, concurrency, log },
    ({ key }, signal, job, token) =>
      serveKey(key, { signal: AbortSignal.any([signal, leave.signal]), job, token }, tools),
  )
  const rebuilds = startWorker('rebuild', { redis, settings, name: id, concurrency: 1, log }, (asked, signal, job) =>
    rebuild(asked, signal, job, tools),
  )
  const sweep = sweepCompileVms({ provider, worker: id, pool, lease, log })
  if (keep.ms > 0)
    await new PrewarmHints(redis, settings).listen(subscriber, (wish, next) => void prewarm(wish, next, { pool, log }))
  log.info({ concurrency }, 'compiler is ready')
  return {
    redis,
    async stop() {
      sweep.stop()
      clearTimeout(resting)
      leave.begin()
      await Promise.all([worker.close(), rebuilds.close()])
      leave.end()
      await board.settled()
      await pool.close()
      await Promise.all([lease.stop(), heartbeat.stop(), queues.close()])
      redis.disconnect()
      subscriber.disconnect()
    },
  }
})
