import type { Readable } from 'node:stream'
import { DelayedError, type Job } from 'bullmq'
import type { Logger } from 'pino'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompiledIndex, CompiledPackage } from '../../shared/compilation/compiled.ts'
import type { CompileRequests } from '../../shared/compilation/requests.ts'
import type { CompileSpec } from '../../shared/compilation/spec.ts'
import type { Aborts } from '../../shared/ledger/aborts.ts'
import type { Claim } from '../../shared/ledger/ledger.ts'
import { completionOf, type Recorder } from '../../shared/ledger/recorder.ts'
import type { Claims, HeldClaim } from '../../shared/lock/claims.ts'
import type { Json } from '../../shared/model/material.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import type { EndedJobs } from '../../shared/queue/ended-jobs.ts'
import { JobFailure } from '../../shared/queue/failure.ts'
import { type JobView, jobView } from '../../shared/queue/job-view.ts'
import { RemodelError, toError } from '../../shared/runtime/errors.ts'
import { failpoint } from '../../shared/runtime/failpoint.ts'
import { timeLimit } from '../../shared/runtime/timer.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import { compile } from './compile.ts'
import { gather } from './gather.ts'
import { onVm } from './on-vm.ts'
import { showOther } from './others.ts'
import type { CompilePool } from './pool.ts'
import { begin, CompileSubscribers, type CompileSubscription, join, nameOf } from './subscribers.ts'

export interface Tools {
  worker: string
  requests: CompileRequests
  compiled: CompiledIndex
  blobs: Blobstore
  provider: Provider
  pool: CompilePool
  breaker: CircuitBreaker
  claims: Claims
  recorder: Recorder
  aborts: Aborts
  board: Pick<EndedJobs, 'add'>
  /** The running job, as it is shown there. */
  view?: JobView
  log: Logger
}

/** A job as BullMQ hands it over. */
interface Delivery {
  job: Job
  token: string
  /** The job was lost, or this process leaves. */
  signal: AbortSignal
}

/** How long a job steps back where another compiler still holds its key (one that was paused, say). */
const stepBackMs = 250

type Outcome = { compiled: CompiledPackage; cached: boolean; vm?: string } | { error: unknown }

/**
 * Serves one package key: claims it, looks whether it is compiled already, compiles it, records it, reports to all
 * subscribers. A job for a key is delivered again after any crash; everything here may be repeated.
 *
 * What this returns is shown in Bull Board. The job is called after the first who asked; what it brought for each of
 * the others is written down there under their names.
 */
export async function serveKey(key: string, delivery: Delivery, tools: Tools): Promise<string | JobFailure> {
  const { signal, job } = delivery
  const request = await tools.requests.read(key)
  if (!request) return 'there is no request for it any more'
  const held = await claimKey(request.spec, delivery, tools)
  const asker = request.by === undefined ? '' : nameOf(request.by)
  let claims = new Map<string, Claim>()
  try {
    await failpoint('compiler.claimed')
    for (let { spec, subscribers, by } = request; ; ) {
      const needed = [spec.key, ...spec.dependencies.map((need) => need.key)]
      const asked = performance.now()
      let found: Map<string, CompiledPackage>
      ;[claims, found] = await Promise.all([begin(subscribers, by, tools), tools.compiled.find(needed)])
      const outcome: Outcome =
        claims.size === 0
          ? { error: new RemodelError('cancelled', 'no plan needs it any more') }
          : await produce({ spec, held, subscribers, claims, asked, found, signal }, { ...tools, view: jobView(job) })
      const loss = lossOf(outcome, [held.signal, signal])
      if (loss) throw new RemodelError('superseded', `${spec.name} is left to another compiler: ${loss}`)
      if (await tellAll({ spec, asker, subscribers, claims }, outcome, tools))
        return claims.size === 0 && 'error' in outcome ? 'no plan needs it any more' : summary(outcome)
      // A subscriber has joined that this outcome does not concern: it is compiled for that one.
      const now = await tools.requests.read(key)
      subscribers = now?.subscribers ?? []
      by = now?.by
    }
  } catch (error) {
    await letGo(claims, error, tools)
    throw error
  } finally {
    await held.release()
  }
}

/** The job may be gone from its queue as well: those whom no other compiler has begun by now are released again. */
async function letGo(claims: ReadonlyMap<string, Claim>, error: unknown, tools: Tools): Promise<void> {
  const { code = 'infrastructure', message = '' } = completionOf(error)
  const outcome = code === 'superseded' ? 'lost' : 'retry'
  await Promise.all([...claims.values()].map((claim) => tools.recorder.giveBack(claim, { outcome, code, message })))
}

async function claimKey(spec: CompileSpec, { job, token }: Delivery, tools: Tools): Promise<HeldClaim> {
  try {
    return await tools.claims.take([tools.requests.claimKey(spec.key)], {
      who: tools.worker,
      since: Date.now(),
      message: `compiles ${spec.name}`,
    })
  } catch (error) {
    if (!(error instanceof RemodelError) || error.code !== 'locked') throw error
    await job.moveToDelayed(Date.now() + stepBackMs, token)
    throw new DelayedError()
  }
}

/** A compile that is about to begin, for those who have asked by now. */
interface Compile extends CompileSubscription {
  held: HeldClaim
  /** What is compiled already: of the package and its dependencies. */
  found: Map<string, CompiledPackage>
  signal: AbortSignal
}

async function produce(work: Compile, tools: Tools): Promise<Outcome> {
  const { spec, held, claims, found, signal } = work
  const ready = found.get(spec.key)
  if (ready) return { compiled: ready, cached: true }
  const waiting = new CompileSubscribers(work, tools)
  const limit = limitOf(claims)
  const stop = AbortSignal.any([signal, held.signal, waiting.allLeft, limit.signal])
  try {
    return await compileAnew({ ...work, signal: stop }, tools)
  } catch (error) {
    const { reason } = stop
    if (!(reason instanceof RemodelError)) return { error }
    // A script that ran out of time says where it had come to.
    return { error: error instanceof RemodelError && error.code === 'deadline' ? error : reason }
  } finally {
    limit.end()
    await waiting.end()
  }
}

async function compileAnew({ spec, held, claims, found, signal }: Compile, tools: Tools): Promise<Outcome> {
  const attempt = attemptOf(claims)
  tools.view?.progress(10)
  const inputs = await gather(spec, found, tools)
  tools.view?.progress(20)
  const fence = { scope: `package/${spec.key}`, number: held.fence }
  const store = (archive: Readable) => tools.blobs.put(archive)
  const { stored, durationMs, vm } = await onVm({ spec, attempt, fence }, signal, tools, async (connection, vm) => ({
    ...(await compile(connection, { spec, inputs, store }, signal)),
    vm,
  }))
  tools.view?.progress(90)
  const { digest, size } = stored
  await failpoint('compiler.blob-put')
  const compiled = { key: spec.key, digest, size, durationMs, compiledAt: Date.now() }
  const recorded = await tools.requests.record(compiled, held, spec)
  if (recorded === 'superseded') throw new RemodelError('superseded', `a newer claim on ${spec.name} is current`)
  if (recorded === 'present') tools.log.warn({ key: spec.key }, 'the key had a result already; the first one is kept')
  await failpoint('compiler.recorded')
  return { compiled, cached: false, vm }
}

function attemptOf(claims: Map<string, Claim>): number {
  return Math.max(...[...claims.values()].map(({ attempt }) => attempt))
}

/**
 * Reports to the subscribers; the request is idle when all have the outcome. An outcome of the package itself (it is
 * compiled, its script fails) is reported to subscribers that joined meanwhile too. A failure of this attempt (a
 * machine was lost, its time was up, its plans were cancelled) is reported only to the subscribers that it was started
 * for, and the answer is false where others are left.
 */
async function tellAll(
  { spec, asker, subscribers: known, claims }: Omit<CompileSubscription, 'asked'> & { asker: string },
  outcome: Outcome,
  tools: Tools,
): Promise<boolean> {
  const forAll = !('error' in outcome) || completionOf(outcome.error).code === 'job-failed'
  for (let subscribers = known; ; ) {
    await Promise.all(
      subscribers.map(async (subscriber) => {
        let claim = claims.get(nameOf(subscriber))
        if (!claim && forAll) claim = (await join([subscriber], tools)).get(nameOf(subscriber))
        if (!claim) return
        await tell(claim, outcome, tools)
        if (nameOf(subscriber) !== asker) showOther(spec, claim, summary(outcome), tools)
      }),
    )
    await failpoint('compiler.told')
    if ((await tools.requests.settle(spec.key, subscribers)) === 0) return true
    if (!forAll) return false
    subscribers = (await tools.requests.read(spec.key))?.subscribers ?? []
  }
}

/** Why another compiler serves this key now, whose answer is the one that counts: the claim or the job was lost. */
function lossOf(outcome: Outcome, signals: readonly AbortSignal[]): string | undefined {
  const aborted = signals.find((signal) => signal.aborted)
  if (aborted) return toError(aborted.reason).message
  const ended = 'error' in outcome ? completionOf(outcome.error) : undefined
  return ended?.code === 'superseded' ? ended.message : undefined
}

function summary(outcome: Outcome): string | JobFailure {
  if ('error' in outcome) {
    const { code, message, log } = completionOf(outcome.error)
    return new JobFailure(`${code}: ${message}`, log)
  }
  return outcome.cached ? 'was compiled already' : `compiled in ${outcome.compiled.durationMs} ms`
}

async function tell(claim: Claim, outcome: Outcome, tools: Tools): Promise<void> {
  const at = { plan: claim.plan, remodel: claim.remodel.id, fence: claim.fence }
  if ('error' in outcome) {
    await tools.recorder.complete(claim.deployment, { ...at, ...completionOf(outcome.error) })
    return
  }
  const { compiled, cached, vm } = outcome
  const facts: Record<string, Json> = {
    key: compiled.key,
    bytes: compiled.size,
    cached,
    ...(vm === undefined ? {} : { vm }),
  }
  const durationMs = cached ? 0 : compiled.durationMs
  await tools.recorder.complete(claim.deployment, { ...at, outcome: 'done', durationMs, facts }, () =>
    tools.requests.recordAgain(compiled),
  )
}

function limitOf(claims: Map<string, Claim>): ReturnType<typeof timeLimit> {
  const ms = Math.max(1000, ...[...claims.values()].map((claim) => claim.remainingMs))
  return timeLimit(ms, () => new RemodelError('deadline', `did not end within ${Math.round(ms / 1000)} s`))
}
