import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { KindRegistry } from '../../kinds/registry.ts'
import { variablesOfKinds } from '../../kinds/variables.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { RedisDurations } from '../../shared/compilation/durations.ts'
import { PrewarmHints } from '../../shared/compilation/prewarm-hints.ts'
import { CompileRequests } from '../../shared/compilation/requests.ts'
import { SoundPackages } from '../../shared/compilation/sound-packages.ts'
import { PlanHistory } from '../../shared/history/plan-history.ts'
import { EpochWatch, seenFile } from '../../shared/ledger/epoch.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { OwedFences } from '../../shared/ledger/owed.ts'
import { jobView } from '../../shared/queue/job-view.ts'
import { Queues } from '../../shared/queue/queues.ts'
import { StrandedJobs } from '../../shared/queue/stranded.ts'
import { startWorker } from '../../shared/queue/worker.ts'
import { DiskWatch } from '../../shared/runtime/disk-space.ts'
import { Division } from '../../shared/runtime/division.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import { homeDirectory, openHome } from '../../shared/runtime/home.ts'
import { processId } from '../../shared/runtime/ids.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { openBlobstore, openProvider } from '../../shared/runtime/machine.ts'
import { watchRedis } from '../../shared/runtime/redis/rules.ts'
import { connectRedis, redisSettings } from '../../shared/runtime/redis.ts'
import { Secrets } from '../../shared/runtime/secrets.ts'
import { runService } from '../../shared/runtime/service.ts'
import { Caretaker } from './caretaker/caretaker.ts'
import { Catalog } from './catalog/catalog.ts'
import { AbandonedJobs } from './dispatch/abandoned.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { startPaying } from './dispatch/owing.ts'
import { Publisher } from './dispatch/publish.ts'
import { Workers } from './dispatch/workers.ts'
import { Moving } from './housekeeping/moving.ts'
import { startRetention } from './housekeeping/retention.ts'
import { cleanParts, startCleaning } from './housekeeping/schedule.ts'
import { accessOf, listen } from './http/listen.ts'
import { buildServer } from './http/server.ts'
import { takeDeployRequest } from './planning/deploy-request.ts'
import { LockWaiters } from './planning/lock-waiters.ts'
import { Planning } from './planning/planning.ts'
import { Settling } from './planning/reservations/settling.ts'
import { startSettling } from './planning/reservations/sweep.ts'
import { startVerdicts, Verdicts } from './planning/verdicts.ts'

/**
 * The planner: turns documents into plans, publishes what is ready, answers the API.
 * Any number may run on one Redis; each deployment's work falls to one of them, and to the others when it is gone.
 *
 * REMODEL_LISTEN is host:port of the API (port 0: any free one; where it listens is written to `<home>/planner.json`).
 * The command of this user comes in through `<home>/planner.sock`.
 */
const id = processId('planner')
const log = createLog('planner', { worker: id })
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

await runService(log, variablesOfKinds, async () => {
  // A planner holds whole plans for a moment; V8 would keep the room for them. Workers, which never
  // do, are slower with it.
  setFlagsFromString('--optimize-for-size')
  const home = homeDirectory()
  await openHome(home, (sentence) => log.warn(sentence))
  const access = await accessOf(home)
  const settings = redisSettings()
  // Requests must not wait for a Redis that is away; the dispatcher must.
  const requests = connectRedis(settings, 'request', { lazyConnect: false })
  const steady = connectRedis(settings, 'service')
  const subscriber = connectRedis(settings, 'service')
  await watchRedis(steady, settings, log)

  const [blobs, provider] = await Promise.all([openBlobstore(), openProvider(log)])
  const kinds = await KindRegistry.open({ blobs, cacheFolder: home })
  const history = new PlanHistory(blobs)
  const ledger = new Ledger(requests, settings, { history })
  const catalog = new Catalog(requests, settings)
  const compiled = new SoundPackages(new RedisCompiledIndex(requests, settings), blobs, { read: true })
  const durations = new RedisDurations(requests, settings)
  const waiters = new LockWaiters(subscriber)
  await waiters.start(settings)
  const stores = { redis: requests, settings, blobs }
  const verdicts = new Verdicts({ ledger, kinds, provider, compiled, durations, stores, observer: id })
  const planning = new Planning({
    ledger,
    kinds,
    catalog,
    provider,
    compiled,
    durations,
    prewarm: new PrewarmHints(requests, settings),
    waiters,
    stores,
    secrets: await Secrets.open(homeDirectory()),
    observer: id,
  })

  const queues = new Queues(steady, settings)
  const steadyLedger = new Ledger(steady, settings, { history })
  const epoch = new EpochWatch({
    redis: steady,
    fences: [ledger.fences, steadyLedger.fences],
    settings,
    memory: seenFile(join(homeDirectory(), 'redis-beat')),
    log,
  })
  const disk = new DiskWatch(homeDirectory(), log)
  disk.start()
  await epoch.start()
  const settling = new Settling(steadyLedger, kinds, { log })
  await settling.takeOver()
  await steadyLedger.retention.relist()
  const heartbeat = new Heartbeat(steady, settings, id)
  await heartbeat.start(subscriber)
  const planners = new Division(steady, settings, { role: 'planners', self: id })
  await planners.start()
  const publisher = new Publisher(steadyLedger, queues, new CompileRequests(steady, settings))
  const stranded = new StrandedJobs(steady, settings)
  const workers = new Workers(steady, settings)
  const abandoned = new AbandonedJobs(steady, settings, workers)
  const dispatcher = new Dispatcher({
    ledger: steadyLedger,
    publisher,
    planners,
    subscriber,
    log,
    stranded,
    workers,
    abandoned,
  })
  await dispatcher.start()
  const names = startSettling(settling, log)
  const moving = new Moving({ ledger: steadyLedger, planners, log })
  moving.start()
  const caretaker = new Caretaker({ ledger, kinds, planning, verdicts, planners, subscriber, log })
  await caretaker.start()
  const comparing = startVerdicts(verdicts, planners, log)
  const paying = await startPaying({
    ...{ ledger: steadyLedger, owed: new OwedFences(steadyLedger, provider) },
    ...{ planners, subscriber, log },
  })
  const retention = startRetention(steadyLedger, (deployment) => planners.falls(deployment), log)
  const cleaning = startCleaning(
    cleanParts({ ledger: steadyLedger, catalog: new Catalog(steady, settings), blobs, kinds, planner: id }),
    log,
  )
  const orders = startWorker(
    'deploys',
    { redis: steady, settings, name: id, concurrency: 4, log },
    // An id may be given to another order when its job is gone.
    (order, _signal, job) => takeDeployRequest({ ...order, id: `${job.id}-${job.timestamp}` }, planning, jobView(job)),
  )

  const parts = {
    planner: id,
    version,
    ledger,
    planning,
    verdicts,
    catalog,
    kinds,
    blobs,
    stores,
    provider,
    queues,
    heartbeat,
    disk,
    log,
  }
  const server = await buildServer(parts, access)
  const { url, close } = await listen(server, home, access, id)
  log.info({ url, board: `${url}/board` }, 'planner is ready')

  return {
    redis: steady,
    async stop() {
      server.server.closeAllConnections()
      await Promise.all([server.close(), close(), orders.close(), dispatcher.stop()])
      // Work under way in one of these is begun again by another planner.
      epoch.stop()
      disk.stop()
      retention.stop()
      paying.stop()
      names.stop()
      moving.stop()
      comparing.stop()
      caretaker.stop()
      cleaning.stop()
      await Promise.all([planners.stop(), heartbeat.stop()])
      await Promise.all([queues.close(), kinds.close()])
      for (const redis of [requests, steady, subscriber]) redis.disconnect()
    },
  }
})
