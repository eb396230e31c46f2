import { RedisCompiledIndex } from '../../shared/compile/compiled.ts'
import { Rebuilds } from '../../shared/compile/rebuilds.ts'
import { CompileRequests } from '../../shared/compile/requests.ts'
import { Heartbeat } from '../../shared/heartbeat.ts'
import { processId } from '../../shared/ids.ts'
import { Aborts } from '../../shared/ledger/aborts.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { Claims } from '../../shared/lock/claims.ts'
import { createLog } from '../../shared/log.ts'
import { openBlobstore, openProvider } from '../../shared/machine.ts'
import { startWorker } from '../../shared/queue/worker.ts'
import { connectRedis, redisSettings } from '../../shared/redis.ts'
import { runService } from '../../shared/service.ts'
import { CompilePool } from './pool.ts'
import { rebuild } from './rebuild.ts'
import { serveKey } from './serve.ts'
import { sweepCompileVms } from './sweep.ts'

/**
 * The compiler: claims package keys and compiles them on VMs of its own, one for each package it works on at a time
 * (REMODEL_CONCURRENCY, 4 by default). How many compile at once for a deployment is the plan's business.
 */
const id = processId('compiler')
const log = createLog('compiler', { worker: id })
const concurrency = Number(process.env.REMODEL_CONCURRENCY ?? 4)
const claimMs = 3000

await runService(log, async () => {
  const settings = redisSettings()
  const redis = connectRedis(settings, 'service')
  const subscriber = connectRedis(settings, 'service')
  const aborts = new Aborts(subscriber)
  await aborts.start(settings)
  const heartbeat = new Heartbeat(redis, settings, id)
  await heartbeat.start()
  const [provider, blobs] = await Promise.all([openProvider(log), openBlobstore()])
  const pool = new CompilePool({ provider, blobs, worker: id, capacity: concurrency, log })
  const recorder = new Recorder(new Ledger(redis, settings), id)
  recorder.repeatAfterReconnect(redis)
  const tools = {
    worker: id,
    requests: new CompileRequests(redis, settings),
    rebuilds: new Rebuilds(redis, settings),
    compiled: new RedisCompiledIndex(redis, settings),
    blobs,
    provider,
    pool,
    // As short as the lock of the queue: a killed compiler's package is begun elsewhere as soon as its job is taken over.
    claims: new Claims(redis, settings, claimMs),
    recorder,
    aborts,
    log,
  }
  const worker = startWorker(
    'compile',
    { redis, settings, name: id, concurrency, log },
    ({ key }, signal, job, token) => serveKey(key, signal, job, token, tools),
  )
  const rebuilds = startWorker('rebuild', { redis, settings, name: id, concurrency: 1, log }, (asked, signal, job) =>
    rebuild(asked, signal, job, tools),
  )
  const sweep = sweepCompileVms(provider, heartbeat, log)
  log.info({ concurrency }, 'compiler is ready')
  return {
    async stop() {
      sweep.stop()
      await Promise.all([worker.close(), rebuilds.close()])
      await pool.close()
      await heartbeat.stop()
      redis.disconnect()
      subscriber.disconnect()
    },
  }
})
