import type { Logger } from 'pino'
import { RemodelError } from '../../shared/errors.ts'
import { failpoint } from '../../shared/failpoint.ts'
import type { Aborts } from '../../shared/ledger/aborts.ts'
import type { Claim, Ledger } from '../../shared/ledger/ledger.ts'
import { completionOf, type Recorder } from '../../shared/ledger/recorder.ts'
import type { Payload } from '../../shared/queue/catalog.ts'
import type { StepCatalog } from './catalog.ts'
import type { StepContext, StepResult } from './steps/step.ts'

export interface Tools extends Pick<StepContext, 'provider' | 'blobs' | 'compiled'> {
  steps: StepCatalog
  ledger: Ledger
  recorder: Recorder
  aborts: Aborts
  log: Logger
}

/**
 * Carries out one remodel: claim it, look whether it is done, do it, prove it, report it.
 *
 * The attempt ends early when its plan is cancelled, its time is up, or the queue's lock was lost (`signal`): in the last
 * case another worker has the remodel already, so nothing is reported. What this returns is shown in Bull Board.
 */
export async function carryOut(job: Payload<'assemble'>, signal: AbortSignal, tools: Tools): Promise<string> {
  const claimed = await tools.recorder.claim(job.deployment, job.plan, job.remodel)
  if (claimed.status === 'superseded') return `superseded: it is ${claimed.state}`
  const { claim } = claimed
  await failpoint('assembler.claimed')
  const started = performance.now()
  const cancelled = tools.aborts.watch(claim.plan)
  const limit = AbortSignal.timeout(Math.max(1, claim.remainingMs))
  try {
    const result = await attempt(claim, AbortSignal.any([signal, cancelled.signal, limit]), tools)
    await failpoint('assembler.applied')
    const recorded = await tools.recorder.complete(job.deployment, {
      ...at(claim),
      outcome: 'done',
      floorplan: result.floorplan,
      durationMs: Math.round(performance.now() - started),
      ...(result.facts ? { facts: result.facts } : {}),
    })
    await failpoint('assembler.reported')
    return recorded === 'recorded' ? 'done' : 'superseded: a newer fence is current'
  } catch (error) {
    if (signal.aborted) throw error
    const cause = limit.aborted
      ? new RemodelError('deadline', `${claim.remodel.title} did not end within ${claim.remodel.deadlineSeconds} s`, {
          cause: error,
        })
      : cancelled.signal.aborted
        ? cancelled.signal.reason
        : error
    const completion = completionOf(cause)
    tools.log.warn(
      { ...at(claim), attempt: claim.attempt, code: completion.code, err: cause },
      'attempt ended without success',
    )
    await tools.recorder.complete(job.deployment, {
      ...at(claim),
      ...completion,
      durationMs: Math.round(performance.now() - started),
    })
    return `${completion.outcome}: ${completion.message}`
  } finally {
    cancelled.end()
  }
}

async function attempt(claim: Claim, signal: AbortSignal, tools: Tools): Promise<StepResult> {
  const { remodel } = claim
  const step = await tools.steps.find(claim.kind, remodel.step)
  const input = step.input.parse(remodel.input)
  const context: StepContext = {
    provider: tools.provider,
    blobs: tools.blobs,
    compiled: tools.compiled,
    material: remodel.material,
    standing: (id) => tools.ledger.standing(claim.deployment, id),
    fence: { scope: `${claim.deployment}:${remodel.material}`, number: claim.fence },
    signal,
    log: tools.log.child(at(claim)),
    say: (what) => tools.recorder.say(claim.deployment, at(claim), what),
  }
  const already = await step.look(context, input)
  signal.throwIfAborted()
  if (already) return already
  await step.apply(context, input)
  signal.throwIfAborted()
  return step.verify(context, input)
}

function at(claim: Claim): { plan: string; remodel: string; fence: number } {
  return { plan: claim.plan, remodel: claim.remodel.id, fence: claim.fence }
}
