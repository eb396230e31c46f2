import type { Logger } from 'pino'
import { RemodelError, toError } from '../../shared/errors.ts'
import { failpoint } from '../../shared/failpoint.ts'
import type { Aborts } from '../../shared/ledger/aborts.ts'
import type { Claim, Completion, CompletionResult, Ledger } from '../../shared/ledger/ledger.ts'
import { fenceOf, type OwedFences } from '../../shared/ledger/owed.ts'
import { completionOf, type Recorder } from '../../shared/ledger/recorder.ts'
import { jobName, type Payload } from '../../shared/queue/catalog.ts'
import { timeLimit } from '../../shared/timer.ts'
import type { StepCatalog } from './catalog.ts'
import { type Hands, handName } from './hands.ts'
import type { StepContext, StepResult } from './steps/step.ts'

export interface Tools extends Pick<StepContext, 'provider' | 'blobs' | 'compiled' | 'archives' | 'secrets'> {
  steps: Pick<StepCatalog, 'find'>
  ledger: Ledger
  recorder: Recorder
  owed: OwedFences
  aborts: Aborts
  hands: Hands
  /** True once this process was told to leave: what is in hand is finished, nothing more is taken along. */
  leaving(): boolean
  log: Logger
}

/** How long one job may go on to further remodels: long enough for chains of quick ones, short enough to be fair. */
const carryOnMs = 250

/**
 * Carries out the remodel a job was published for, and after it ready ones of the same plan for as long as that takes no
 * time worth mentioning. What this returns is shown in Bull Board.
 *
 * Where a report is refused, the job is not ended but comes again in a second, if it is still this worker's: a Redis that
 * came back older may have forgotten the claim or a report that was recorded, and a job that ended then would leave a
 * remodel in nobody's hands. Mostly it is told then that somebody else has seen to it.
 */
export async function carryOut(
  job: Payload<'assemble'>,
  queue: string,
  signal: AbortSignal,
  tools: Tools,
): Promise<string> {
  const hand = handName(job)
  if (tools.hands.has(hand)) return 'it is in hand here already'
  tools.hands.hold(hand)
  try {
    return await carry(job, { queue, signal, hold: (claim) => tools.hands.hold(hand, claim) }, tools)
  } finally {
    tools.hands.letGo(hand)
  }
}

async function carry(
  job: Payload<'assemble'>,
  { queue, signal, hold }: { queue: string; signal: AbortSignal; hold(claim: Claim): void },
  tools: Tools,
): Promise<string> {
  const name = jobName(job.remodel, job.release)
  let asked = performance.now()
  const claimed = await tools.recorder.claim(job.deployment, { plan: job.plan, remodel: job.remodel, job: name })
  if (claimed.status !== 'claimed') return `superseded: it is ${claimed.status === 'held' ? 'running' : claimed.state}`
  await failpoint('assembler.claimed')
  const until = performance.now() + carryOnMs
  const outcomes: string[] = []
  for (let claim: Claim | undefined = claimed.claim; claim; ) {
    hold(claim)
    const goOn = () => performance.now() < until && !tools.leaving()
    const ended: Ended = await carryOne(claim, asked, name, () => (goOn() ? queue : undefined), signal, tools)
    outcomes.push(claim.remodel.id === job.remodel ? ended.outcome : `${claim.remodel.id}: ${ended.outcome}`)
    if (ended.refused) throw new RemodelError('superseded', outcomes.join('; '))
    claim = ended.next
    asked = ended.asked
  }
  return outcomes.length > 10
    ? `${outcomes.slice(0, 10).join('; ')}; and ${outcomes.length - 10} more`
    : outcomes.join('; ')
}

interface Ended {
  outcome: string
  /** When the report went out, and with it the wish for `next`. */
  asked: number
  next?: Claim
  /** The ledger did not take the report. */
  refused?: true
}

/**
 * One attempt: look whether it is done, do it, prove it, report it.
 *
 * It ends early when its plan is cancelled, its time is up, or the remodel is in other hands (`signal`): in the last case
 * nothing is reported.
 */
async function carryOne(
  claim: Claim,
  asked: number,
  job: string,
  take: () => string | undefined,
  signal: AbortSignal,
  tools: Tools,
): Promise<Ended> {
  const started = performance.now()
  const cancelled = tools.aborts.watch(claim, asked)
  const late = `${claim.remodel.title} did not end within ${claim.remodel.deadlineSeconds} s`
  const limit = timeLimit(claim.remainingMs, () => new RemodelError('deadline', late))
  const report = async (what: Pick<Completion, 'outcome'> & Partial<Completion>, outcome: string): Promise<Ended> => {
    const queue = take()
    const next = performance.now()
    const durationMs = Math.round(next - started)
    const completion = { ...at(claim), durationMs, job, ...(queue ? { take: queue } : {}), ...what }
    return ended(await tools.recorder.complete(claim.deployment, completion), outcome, next)
  }
  const told = revocable(AbortSignal.any([cancelled.signal, limit.signal]))
  try {
    const { floorplan, facts } = await attempt(claim, signal, told, tools)
    await failpoint('assembler.applied')
    const recorded = await report({ outcome: 'done', floorplan, ...(facts ? { facts } : {}) }, 'done')
    await failpoint('assembler.reported')
    return recorded
  } catch (error) {
    if (signal.aborted) throw error
    const stopped = () =>
      cancelled.signal.aborted ? cancelled.signal.reason : new RemodelError('deadline', late, { cause: error })
    const cause = told.signal.aborted ? stopped() : error
    const completion = completionOf(cause)
    tools.log.warn(
      { ...at(claim), attempt: claim.attempt, code: completion.code, err: cause },
      'attempt ended without success',
    )
    return await report(completion, `${completion.outcome}: ${completion.message}`).catch(async (refusal) => {
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

function ended(result: CompletionResult, outcome: string, asked: number): Ended {
  if (result.status === 'superseded') return { outcome: 'superseded: a newer fence is current', asked, refused: true }
  return result.next ? { outcome, asked, next: result.next } : { outcome, asked }
}

/** `lost`: another worker has it. `told`: to stop, by a person or the clock, which counts up to the point of no return. */
async function attempt(claim: Claim, lost: AbortSignal, told: Revocable, tools: Tools): Promise<StepResult> {
  const { remodel } = claim
  const signal = AbortSignal.any([lost, told.signal])
  const step = await tools.steps.find(claim.kind, remodel.step)
  const input = step.input.parse(remodel.input)
  const context: StepContext = {
    provider: claim.owes ? await tools.owed.inFront(claim.deployment) : tools.provider,
    blobs: tools.blobs,
    compiled: tools.compiled,
    archives: tools.archives,
    secrets: tools.secrets,
    material: remodel.material,
    standing: (id) => tools.ledger.standing(claim.deployment, id),
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
  await step.apply(context, input)
  signal.throwIfAborted()
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
