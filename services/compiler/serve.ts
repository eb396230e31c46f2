import { DelayedError, type Job } from 'bullmq'
import type { Logger } from 'pino'
import type { Blobstore } from '../../shared/blobstore/blobstore.ts'
import type { CompiledIndex, CompiledPackage } from '../../shared/compile/compiled.ts'
import type { CompileRequests, CompileSpec, Subscriber } from '../../shared/compile/requests.ts'
import { RemodelError, toError } from '../../shared/errors.ts'
import { failpoint } from '../../shared/failpoint.ts'
import type { Aborts } from '../../shared/ledger/aborts.ts'
import type { Claim } from '../../shared/ledger/ledger.ts'
import { completionOf, type Recorder } from '../../shared/ledger/recorder.ts'
import type { Claims, HeldClaim } from '../../shared/lock/claims.ts'
import type { Json } from '../../shared/model/material.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import { compile } from './compile.ts'
import type { CompilePool } from './pool.ts'

export interface Tools {
  worker: string
  requests: CompileRequests
  compiled: CompiledIndex
  blobs: Blobstore
  provider: Provider
  pool: CompilePool
  claims: Claims
  recorder: Recorder
  aborts: Aborts
  log: Logger
}

/** How long a job steps back where another compiler still holds its key (one that was paused, say). */
const stepBackMs = 250

type Outcome = { compiled: CompiledPackage; cached: boolean; vm?: string } | { error: unknown }

/**
 * Serves one package key: claims it, looks whether it is compiled already, compiles it, records it, tells everybody who
 * asked. A job for a key is delivered again after any crash; everything here may be repeated.
 *
 * What this returns is shown in Bull Board.
 */
export async function serveKey(
  key: string,
  signal: AbortSignal,
  job: Job,
  token: string,
  tools: Tools,
): Promise<string> {
  const request = await tools.requests.read(key)
  if (!request) return 'nobody asks for it'
  const held = await claimKey(key, request.spec, job, token, tools)
  try {
    await failpoint('compiler.claimed')
    for (let { spec, subscribers } = request; ; ) {
      const claims = await begin(subscribers, tools)
      const outcome: Outcome =
        claims.size === 0
          ? { error: new RemodelError('cancelled', 'nobody wants it any more') }
          : await produce(spec, held, claims, signal, tools)
      // Without the lock another compiler serves this key: its answer is the one that counts.
      if (signal.aborted || held.signal.aborted || isSuperseded(outcome))
        throw new RemodelError('superseded', `the claim on ${spec.name} was lost`)
      if (await tellAll(key, subscribers, claims, outcome, tools)) return summary(outcome)
      // Somebody joined whom this outcome does not concern: it is compiled for them.
      subscribers = (await tools.requests.read(key))?.subscribers ?? []
    }
  } finally {
    await held.release()
  }
}

async function claimKey(key: string, spec: CompileSpec, job: Job, token: string, tools: Tools): Promise<HeldClaim> {
  try {
    return await tools.claims.take([tools.requests.claimKey(key)], {
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

/** Begins the remodels that wait for the key; those of plans that are over drop out. */
async function begin(subscribers: readonly Subscriber[], tools: Tools): Promise<Map<string, Claim>> {
  const claims = new Map<string, Claim>()
  await Promise.all(
    subscribers.map(async (subscriber) => {
      const result = await tools.recorder.claim(subscriber.deployment, subscriber.plan, subscriber.remodel, 'compile')
      if (result.status === 'claimed') claims.set(name(subscriber), result.claim)
    }),
  )
  return claims
}

async function produce(
  spec: CompileSpec,
  held: HeldClaim,
  claims: Map<string, Claim>,
  signal: AbortSignal,
  tools: Tools,
): Promise<Outcome> {
  const ready = (await tools.compiled.find([spec.key])).get(spec.key)
  if (ready) return { compiled: ready, cached: true }
  const watched = [...claims.values()].map((claim) => tools.aborts.watch(claim.plan))
  const stop = AbortSignal.any([signal, held.signal, allOf(watched.map((watch) => watch.signal)), timeLimit(claims)])
  try {
    return await onVm(spec, held, stop, tools)
  } catch (error) {
    return { error: stop.aborted && stop.reason instanceof RemodelError ? stop.reason : error }
  } finally {
    for (const watch of watched) watch.end()
  }
}

async function onVm(spec: CompileSpec, held: HeldClaim, signal: AbortSignal, tools: Tools): Promise<Outcome> {
  const vm = await tools.pool.take(spec, signal)
  let ok = false
  try {
    const connection = await tools.provider.connect(vm.id, { scope: `package/${spec.key}`, number: held.fence })
    try {
      const { archive, durationMs } = await compile(connection, spec, { ...tools, signal })
      const { digest, size } = await tools.blobs.put(archive)
      await failpoint('compiler.blob-put')
      const compiled = { key: spec.key, digest, size, durationMs, compiledAt: Date.now() }
      const recorded = await tools.requests.record(compiled, held.fence)
      if (recorded === 'superseded') throw new RemodelError('superseded', `a newer claim on ${spec.name} is current`)
      if (recorded === 'present')
        tools.log.warn({ key: spec.key }, 'the key had a result already; the first one is kept')
      await failpoint('compiler.recorded')
      ok = true
      return { compiled, cached: false, vm: vm.id }
    } finally {
      connection.close()
    }
  } catch (error) {
    throw signal.aborted || (await stillRuns(vm.id, tools))
      ? error
      : new RemodelError('infrastructure', `compile VM ${vm.id} was lost while it compiled ${spec.name}`, {
          cause: error,
        })
  } finally {
    await tools.pool.give(vm, { ok, reuse: spec.reuse })
  }
}

/** A script that ended because its machine did is not the package's fault. */
async function stillRuns(vm: string, tools: Tools): Promise<boolean> {
  return (await tools.provider.findVm(vm))?.state === 'running'
}

/**
 * Tells those who asked; the request is idle when all know. What the package itself did (it is compiled, its script
 * fails) is told to those who joined meanwhile too. What befell this attempt (a machine was lost, its time was up, its
 * plans were cancelled) is told only to those it was made for, and the answer is false where others are left.
 */
async function tellAll(
  key: string,
  known: readonly Subscriber[],
  claims: Map<string, Claim>,
  outcome: Outcome,
  tools: Tools,
): Promise<boolean> {
  const forAll = !('error' in outcome) || completionOf(outcome.error).code === 'job-failed'
  for (let subscribers = known; ; ) {
    await Promise.all(
      subscribers.map(async (subscriber) => {
        let claim = claims.get(name(subscriber))
        if (!claim && forAll) claim = (await begin([subscriber], tools)).get(name(subscriber))
        if (claim) await tell(claim, outcome, tools)
      }),
    )
    await failpoint('compiler.told')
    if ((await tools.requests.settle(key, subscribers)) === 0) return true
    if (!forAll) return false
    subscribers = (await tools.requests.read(key))?.subscribers ?? []
  }
}

function isSuperseded(outcome: Outcome): boolean {
  return 'error' in outcome && completionOf(outcome.error).code === 'superseded'
}

function summary(outcome: Outcome): string {
  if ('error' in outcome) return `failed: ${toError(outcome.error).message}`
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
  await tools.recorder.complete(claim.deployment, {
    ...at,
    outcome: 'done',
    durationMs: cached ? 0 : compiled.durationMs,
    facts,
  })
}

function name({ deployment, plan, remodel }: Subscriber): string {
  return `${deployment} ${plan} ${remodel}`
}

/** Aborts when every one of `signals` has: as long as one deployment still wants the package, it is compiled. */
function allOf(signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController()
  let left = signals.length
  for (const signal of signals) {
    signal.addEventListener('abort', () => {
      left -= 1
      if (left === 0) controller.abort(signal.reason)
    })
  }
  return controller.signal
}

function timeLimit(claims: Map<string, Claim>): AbortSignal {
  const ms = Math.max(1000, ...[...claims.values()].map((claim) => claim.remainingMs))
  const controller = new AbortController()
  setTimeout(
    () => controller.abort(new RemodelError('deadline', `did not end within ${Math.round(ms / 1000)} s`)),
    ms,
  ).unref()
  return controller.signal
}
