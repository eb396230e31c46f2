import { variablesOfKinds } from '../../kinds/variables.ts'
import { RedisCompiledIndex } from '../../shared/compilation/compiled.ts'
import { SoundPackages } from '../../shared/compilation/sound-packages.ts'
import { Aborts } from '../../shared/ledger/aborts.ts'
import { tellEpochs } from '../../shared/ledger/epoch.ts'
import { Ledger } from '../../shared/ledger/ledger.ts'
import { OwedFences } from '../../shared/ledger/owed.ts'
import { Recorder } from '../../shared/ledger/recorder.ts'
import { Claims } from '../../shared/lock/claims.ts'
import { EndedJobs } from '../../shared/queue/ended-jobs.ts'
import { jobView } from '../../shared/queue/job-view.ts'
import { startWorker } from '../../shared/queue/worker.ts'
import { Division } from '../../shared/runtime/division.ts'
import { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import { homeDirectory, openHome } from '../../shared/runtime/home.ts'
import { processId } from '../../shared/runtime/ids.ts'
import { Leaving } from '../../shared/runtime/leaving.ts'
import { createLog } from '../../shared/runtime/log.ts'
import { openBlobstore, openProvider } from '../../shared/runtime/machine.ts'
import { connectRedis, redisSettings } from '../../shared/runtime/redis.ts'
import { Secrets } from '../../shared/runtime/secrets.ts'
import { runService } from '../../shared/runtime/service.ts'
import { numberSetting } from '../../shared/runtime/settings.ts'
import { execute } from './executor.ts'
import { Hands, handName } from './hands.ts'
import { findKeepers, startKeeper } from './keepers.ts'
import { Lookout } from './lookout.ts'
import { StepRegistry } from './step-registry.ts'

/**
 * The assembler: applies remodels to machines, one job each, and reports how they ended.
 * REMODEL_SITE names a site whose own queue this worker serves instead of the common one.
 */
const id = processId('assembler')
const log = createLog('assembler', { worker: id })

await runService(log, variablesOfKinds, async () => {
  await openHome(homeDirectory(), (sentence) => log.warn(sentence))
  const settings = redisSettings()
  const redis = connectRedis(settings, 'service')
  const subscriber = connectRedis(settings, 'service')
  const ledger = new Ledger(redis, settings)
  const aborts = new Aborts(subscriber, ledger)
  await aborts.start(settings)
  const leaving = new Leaving()
  const steps = new StepRegistry()
  await steps.extend()
  tellEpochs(redis, settings, ledger.fences)
  const recorder = new Recorder(ledger, id)
  recorder.repeatAfterReconnect(redis)
  const hands = new Hands(ledger)
  const blobs = await openBlobstore()
  const provider = await openProvider(log)
  const unseen = 'the board does not show a remodel that was taken along'
  const board = new EndedJobs(redis, settings, (err) => log.debug({ err }, unseen))
  const site = process.env.REMODEL_SITE
  const queue = site ? (`assemble-${site}` as const) : 'assemble'
  const concurrency = numberSetting('REMODEL_CONCURRENCY') ?? 32
  const heartbeat = new Heartbeat(redis, settings, id, { queue, concurrency, steps: await steps.known() })
  const tools = {
    provider,
    owed: new OwedFences(ledger, provider),
    blobs,
    compiled: new SoundPackages(new RedisCompiledIndex(redis, settings), blobs, { read: false }),
    stores: { redis, settings, blobs },
    secrets: await Secrets.open(homeDirectory()),
    steps,
    heartbeat,
    ledger,
    recorder,
    aborts,
    hands,
    worker: id,
    board,
    leaving,
    log,
  }
  await heartbeat.start(subscriber)
  const worker = startWorker(
    queue,
    { redis, settings, name: id, concurrency, log, ours: (job) => hands.ours(handName(job)) },
    (work, signal, job) => execute(work, queue, signal, { ...tools, view: jobView(job) }),
  )
  const claims = new Claims(redis, settings)
  const keepers = [...(await findKeepers())].map(([name, keeper]) => startKeeper(name, keeper, { ...tools, claims }))
  const division = new Division(redis, settings, { role: 'lookouts', self: id })
  await division.start()
  const lookout = new Lookout({ ledger, provider, redis, division, log })
  lookout.start()
  log.info({ queue }, 'assembler is ready')
  return {
    redis,
    async stop() {
      leaving.begin()
      await Promise.all([division.stop(), lookout.stop()])
      await Promise.all(keepers.map((keeper) => keeper.stop()))
      await worker.close()
      await board.settled()
      leaving.end()
      await heartbeat.stop()
      redis.disconnect()
      subscriber.disconnect()
    },
  }
})
