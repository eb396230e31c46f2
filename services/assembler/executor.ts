import type { Logger } from 'pino'
import type { Step, StepContext, StepResult, Wait } from '../../kinds/contract/step.ts'
import type { Aborts } from '../../shared/ledger/aborts.ts'
import type { Claim, Completion, CompletionResult, Ledger } from '../../shared/ledger/ledger.ts'
import { fenceOf, type OwedFences } from '../../shared/ledger/owed.ts'
import { completionOf, type Recorder } from '../../shared/ledger/recorder.ts'
import { versionOf } from '../../shared/model/input-version.ts'
import { planFormat } from '../../shared/model/plan.ts'
import type { EndedJobs } from '../../shared/queue/ended-jobs.ts'
import { JobFailure } from '../../shared/queue/failure.ts'
import type { JobView } from '../../shared/queue/job-view.ts'
import { workerFor } from '../../shared/queue/known-steps.ts'
import { boardName, jobId, jobName, type Payload } from '../../shared/queue/payloads.ts'
import { type ErrorCode, RemodelError, toError } from '../../shared/runtime/errors.ts'
import { failpoint } from '../../shared/runtime/failpoint.ts'
import type { Heartbeat } from '../../shared/runtime/heartbeat.ts'
import type { Leaving } from '../../shared/runtime/leaving.ts'
import { timeLimit } from '../../shared/runtime/timer.ts'
import { schemaWords } from '../../shared/source/schema-words.ts'
import { type Hands, handName } from './hands.ts'
import type { StepRegistry } from './step-registry.ts'

export interface Tools extends Pick<StepContext, 'provider' | 'blobs' | 'compiled' | 'stores' | 'secrets'> {
  steps: Pick<StepRegistry, 'find'>
  /** Tells whether a worker lives that knows a step. */
  heartbeat: Pick<Heartbeat, 'knowing'>
  ledger: Ledger
  recorder: Recorder
  owed: OwedFences
  aborts: Aborts
  hands: Hands
  /** This process, as Bull Board shows it. */
  worker: string
  board: Pick<EndedJobs, 'add'>
  /** The running job, as it is shown there. */
  view?: JobView
  /** How long one job may go on to further remodels. */
  goOnMs?: number
  /**
   * Once this process has begun to leave, nothing more is taken along; remodels that still run at the
   * signal are handed back.
   */
  leaving: Pick<Leaving, 'begun' | 'signal'>
  log: Logger
}

/**
 * A step that this worker does not know and a living one does is on its queue again after this time,
 * until that one has it.
 */
const passOnMs = 250
/** How long one job may go on to further remodels: long enough for chains of quick ones, short enough to be fair. */
const carryOnMs = 250

/**
 * Carries out the remodel a job was published for, and after it ready ones of the same plan for as long as that takes
 * no time worth mentioning. What this returns is shown in Bull Board: how the job's own remodel ended. Further ones are
 * written down there as jobs of their own, each under its own outcome.
 *
 * Where a report is refused, the job is not ended but comes again in a second, if it is still this worker's: a Redis
 * that came back older may have forgotten the claim or a report that was recorded, and a job that ended then would
 * leave a remodel without a worker. Mostly the ledger answers then that another worker has carried it out.
 */
export async function execute(
  job: Payload<'assemble'>,
  queue: string,
  signal: AbortSignal,
  tools: Tools,
): Promise<string | JobFailure> {
  const hand = handName(job)
  if (tools.hands.has(hand)) return 'this worker is carrying it out already'
  tools.hands.hold(hand)
  try {
    return await executeInTurn(job, { queue, signal, hold: (claim) => tools.hands.hold(hand, claim) }, tools)
  } finally {
    tools.hands.letGo(hand)
  }
}

async function executeInTurn(
  job: Payload<'assemble'>,
  { queue, signal, hold }: { queue: string; signal: AbortSignal; hold(claim: Claim): void },
  tools: Tools,
): Promise<string | JobFailure> {
  const name = jobName(job.remodel, job.release)
  let asked = performance.now()
  const claimed = await tools.recorder.claim(job.deployment, { plan: job.plan, remodel: job.remodel, job: name })
  if (claimed.status === 'held') return 'superseded: it is running'
  if (claimed.status === 'superseded') return endedBefore(job, `superseded: it is ${claimed.state}`, tools)
  await failpoint('assembler.claimed')
  const until = performance.now() + (tools.goOnMs ?? carryOnMs)
  let own: string | JobFailure | undefined
  for (let claim: Claim | undefined = claimed.claim; claim; ) {
    hold(claim)
    const startedAt = Date.now()
    const goesOn = `goes on with ${claim.remodel.title}`
    const slow = claim.remodel.id === job.remodel ? undefined : setTimeout(() => tools.view?.note(goesOn), carryOnMs)
    const goOn = () => performance.now() < until && !tools.leaving.begun
    const of = { asked, job: name, take: () => (goOn() ? queue : undefined), signal }
    const ended: Ended = await runAttempt(claim, of, tools).finally(() => clearTimeout(slow))
    if (ended.refused) throw new RemodelError('superseded', `${claim.remodel.id}: a newer fence is current`)
    if (claim.remodel.id === job.remodel) own = ended.outcome
    else showAlong(claim, { queue, startedAt, outcome: ended.outcome }, tools)
    claim = ended.next
    asked = ended.asked
  }
  return own ?? endedBefore(job, `it went on with ${claimed.claim.remodel.id}`, tools)
}

/** What a remodel that was taken along came to, as a job of its own. */
function showAlong(
  { deployment, plan, remodel, release }: Claim,
  { queue, startedAt, outcome }: { queue: string; startedAt: number; outcome: string | JobFailure },
  { board, worker }: Tools,
): void {
  board.add(queue, {
    id: jobId(plan, remodel.id, release),
    name: boardName(deployment, remodel.id),
    data: { deployment, plan, remodel: remodel.id, release },
    ...{ startedAt, worker, outcome },
  })
}

/**
 * A job whose remodel ended in other hands: its worker was lost after its report, say. A failure is shown as failed.
 */
async function endedBefore(
  { deployment, plan, remodel }: Payload<'assemble'>,
  otherwise: string,
  { ledger }: Tools,
): Promise<string | JobFailure> {
  const cause = await ledger.causeOf(deployment, plan, remodel)
  return cause ? new JobFailure(`${cause.code}: ${cause.message}`, cause.log) : otherwise
}

interface Attempt {
  /** `performance.now()` from before the claim was asked for. */
  asked: number
  /** The name of the job that the remodel was begun for. */
  job: string
  /** The queue of which another remodel is wished for with the report. */
  take: () => string | undefined
  signal: AbortSignal
}

interface Ended {
  outcome: string | JobFailure
  /** When the report went out, and with it the wish for `next`. */
  asked: number
  next?: Claim
  /** The ledger did not take the report. */
  refused?: true
}

/**
 * One attempt: look whether it is done, do it, prove it, report it.
 *
 * It ends early when its plan is cancelled, its time is up, this process leaves, or the remodel is in other hands
 * (`signal`): in the last case nothing is reported.
 */
async function runAttempt(claim: Claim, { asked, job, take, signal }: Attempt, tools: Tools): Promise<Ended> {
  const started = performance.now()
  const cancelled = tools.aborts.watch(claim, asked)
  const late = `${claim.remodel.title} did not end within ${claim.remodel.deadlineSeconds} s`
  const limit = timeLimit(claim.remainingMs, () => new RemodelError('deadline', late))
  const report = async (
    what: Pick<Completion, 'outcome'> & Partial<Completion>,
    outcome: string | JobFailure,
  ): Promise<Ended> => {
    const queue = take()
    const next = performance.now()
    const durationMs = Math.round(next - started)
    const completion = { ...at(claim), durationMs, job, ...(queue ? { take: queue } : {}), ...what }
    return ended(await tools.recorder.complete(claim.deployment, completion), outcome, next)
  }
  const told = revocable(AbortSignal.any([cancelled.signal, limit.signal]))
  try {
    const known = await knownStep(claim, tools)
    if ('unknown' in known) {
      const { unknown: message, ...rest } = known
      await failpoint('assembler.not-mine')
      return await report({ outcome: 'not-mine', message, ...rest }, `not mine: it needs ${message}`)
    }
    const lost = AbortSignal.any([signal, tools.leaving.signal])
    const result = await attempt(claim, known, { lost, told }, tools)
    await failpoint('assembler.applied')
    if ('for' in result) {
      const waits = { outcome: 'wait', message: result.for, afterMs: Math.round(result.afterMs) } as const
      const waiting = await report(waits, `waits for ${result.for}`)
      await failpoint('assembler.waits')
      return waiting
    }
    const { floorplan, facts } = result
    const recorded = await report({ outcome: 'done', floorplan, ...(facts ? { facts } : {}) }, 'done')
    await failpoint('assembler.reported')
    return recorded
  } catch (error) {
    if (signal.aborted) throw error
    const stopped = () =>
      cancelled.signal.aborted ? cancelled.signal.reason : new RemodelError('deadline', late, { cause: error })
    const cause = told.signal.aborted ? stopped() : error
    const completion = tools.leaving.signal.aborted ? handedBack(tools.leaving.signal) : endOf(cause)
    tools.log.warn(
      { ...at(claim), attempt: claim.attempt, code: completion.code, err: cause },
      'attempt ended without success',
    )
    return await report(completion, shownAs(completion, claim)).catch(async (refusal) => {
      // The job may be gone from its queue as well: then nothing would ever come back to this remodel.
      const why = `its end could not be recorded: ${toError(refusal).message}`
      await tools.recorder.giveBack(claim, { outcome: 'retry', code: 'infrastructure', message: why })
      throw refusal
    })
  } finally {
    cancelled.end()
    limit.end()
  }
}

/**
 * Which attempt it was, where another one may come: that one is a job of its own. A remodel that is only
 * given back has not failed.
 */
function shownAs({ outcome, code, message, log }: ReturnType<typeof completionOf>, claim: Claim): string | JobFailure {
  if (outcome === 'lost') return `given back: ${message}`
  const attempt = outcome === 'retry' ? ` (attempt ${claim.attempt} of ${claim.remodel.attempts})` : ''
  return new JobFailure(`${code}: ${message}${attempt}`, log)
}

function ended(result: CompletionResult, outcome: string | JobFailure, asked: number): Ended {
  if (result.status === 'superseded') return { outcome, asked, refused: true }
  return result.next ? { outcome, asked, next: result.next } : { outcome, asked }
}

/**
 * A machine that has seen a larger fence refuses the work. Where this attempt is the current one all the same, the
 * machine knows of a history that Redis has lost: it is begun again under a larger fence. Where it is not, the
 * ledger refuses this report.
 */
function endOf(cause: unknown): ReturnType<typeof completionOf> {
  const completion = completionOf(cause)
  return completion.code === 'superseded' ? { ...completion, outcome: 'lost' } : completion
}

/** Whatever the step made of it: it was stopped, also behind its point of no return, and another worker goes on. */
function handedBack({ reason }: AbortSignal): Pick<Completion, 'outcome' | 'code' | 'message'> {
  return { outcome: 'lost', code: 'unavailable', message: toError(reason).message }
}

interface KnownStep {
  step: Step
  input: unknown
}

interface UnknownStep {
  /** What it takes to know it, as a noun phrase. */
  unknown: string
  code: ErrorCode
  /** A living worker knows it, and is asked again after this time. */
  afterMs?: number
}

/** The step of a remodel, or what a worker would need that knows it: the planner, or another worker, may be newer. */
async function knownStep(
  { kind, remodel, format }: Claim,
  { steps, heartbeat }: Tools,
): Promise<KnownStep | UnknownStep> {
  if (format > planFormat) return { unknown: `a worker that knows plans of format ${format}`, code: 'unsupported' }
  const step = await steps.find(kind, remodel.step)
  if (!step || (remodel.version ?? 1) > versionOf(step.input)) {
    const [unknown, code] = [workerFor(kind, remodel), 'unsupported'] as const
    const { knowing } = await heartbeat.knowing(kind, remodel)
    return { unknown, code, ...(knowing > 0 ? { afterMs: passOnMs } : {}) }
  }
  const input = step.input.safeParse(remodel.input, { error: schemaWords })
  if (input.success) return { step, input: input.data }
  const [issue] = input.error.issues
  const fault = `${issue?.path.join('.') || 'it'}: ${issue?.message}`
  return { unknown: `${workerFor(kind, remodel)} and can read its input (${fault})`, code: 'invalid-input' }
}

/**
 * `lost`: another worker has it. `told`: to stop, by a person or the clock, which counts up to the point of no return.
 */
async function attempt(
  claim: Claim,
  { step, input }: KnownStep,
  { lost, told }: { lost: AbortSignal; told: Revocable },
  tools: Tools,
): Promise<StepResult | Wait> {
  const { remodel } = claim
  const signal = AbortSignal.any([lost, told.signal])
  const context: StepContext = {
    provider: claim.owes ? await tools.owed.inFront(claim.deployment) : tools.provider,
    blobs: tools.blobs,
    compiled: tools.compiled,
    stores: tools.stores,
    secrets: tools.secrets,
    plan: claim.plan,
    material: remodel.material,
    actual: (id) => tools.ledger.actual(claim.deployment, id),
    fence: fenceOf(claim.deployment, remodel.material, claim.fence),
    signal,
    async pointOfNoReturn() {
      signal.throwIfAborted()
      const { status } = await tools.recorder.complete(claim.deployment, { ...at(claim), outcome: 'no-return' })
      if (status !== 'recorded') throw new RemodelError(status, `${remodel.title} may not go on any more`)
      lost.throwIfAborted()
      told.revoke()
    },
    log: tools.log.child(at(claim)),
    say: (what) => tools.recorder.say(claim.deployment, at(claim), what),
  }
  const already = await step.look(context, input)
  signal.throwIfAborted()
  if (already) return already
  tools.view?.progress(20)
  const wait = await step.apply(context, input)
  tools.view?.progress(80)
  signal.throwIfAborted()
  if (wait) return wait
  return step.verify(context, input)
}

interface Revocable {
  signal: AbortSignal
  revoke(): void
}

/** A signal that follows another one until it is revoked. */
function revocable(of: AbortSignal): Revocable {
  const controller = new AbortController()
  const follow = () => controller.abort(of.reason)
  if (of.aborted) follow()
  of.addEventListener('abort', follow, { once: true })
  return { signal: controller.signal, revoke: () => of.removeEventListener('abort', follow) }
}

function at(claim: Claim): { plan: string; remodel: string; fence: number } {
  return { plan: claim.plan, remodel: claim.remodel.id, fence: claim.fence }
}
