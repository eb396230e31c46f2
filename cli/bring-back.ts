import { setTimeout } from 'node:timers/promises'
import type { Client } from '../shared/api/client.ts'
import type { PlanView } from '../shared/api/schemas/plan.ts'
import type { Verdict } from '../shared/model/verdict.ts'
import { RemodelError } from '../shared/runtime/errors.ts'
import { eachAtMost } from '../shared/runtime/parallel.ts'
import { reasonOf } from '../shared/runtime/system-error.ts'
import { isFinal } from './follow.ts'
import { isEmpty } from './views/plan.ts'
import { count } from './views/table.ts'
import { duration } from './views/time.ts'

/** What a deployment that deviates may need until it is as it was recorded, without a plan. */
const patienceSeconds = 5
const lookMs = 500
const atOnce = 4

export interface BringBackOptions {
  client: Client
  /** One sentence for people about one deployment. */
  tell(deployment: string, sentence: string): void
  /** Why, for the locks of the deployments. */
  message: string
  /** What was begun goes on without this. */
  signal?: AbortSignal
}

/**
 * Makes deployments again what they were recorded as: of each that deviates from its record the newest order is
 * planned once more and carried out. A deployment whose newest order did not end well is left alone: to try it again,
 * or to go back, is for a person to decide. Answers the deployments that still deviate, or that could not be looked at.
 */
export async function bringBack(deployments: readonly string[], options: BringBackOptions): Promise<string[]> {
  const left: string[] = []
  await eachAtMost(atOnce, deployments, async (deployment) => {
    if (options.signal?.aborted) return
    const is = await bringOneBack(deployment, options).catch((error) => {
      if (options.signal?.aborted) return true
      options.tell(deployment, `cannot be brought back: ${reasonOf(error)}`)
      return false
    })
    if (!is) left.push(deployment)
  })
  return left
}

/** Whether it is as it was recorded, in the end. */
async function bringOneBack(deployment: string, options: BringBackOptions): Promise<boolean> {
  const { client, tell, message } = options
  await unlocked(deployment, options)
  const { deviations } = await client.verdict(deployment, patienceSeconds)
  if (deviations.length === 0) return true
  const [newest] = await client.orders(deployment)
  const wrong = `is not as it was recorded (${described(deviations)})`
  if (newest === undefined) {
    tell(deployment, `${wrong}, and no order of it is kept: deploy it again`)
    return false
  }
  if (!(await endedWell(client, newest.plan))) {
    tell(deployment, `${wrong}, and its last deploy did not end well: deploy it again, or \`remodel rollback\` it`)
    return false
  }
  const view = await client.planRollback(deployment, { to: newest.version })
  if (isEmpty(view.plan)) {
    tell(deployment, `${wrong}, and deploying it again would change nothing: \`remodel instances ${deployment}\``)
    return false
  }
  tell(deployment, `${wrong}: plan ${view.plan.id} brings it back`)
  await client.apply(view.plan.id, { message, waitSeconds: 0 })
  const ended = await end(view, options)
  const took = duration((ended.status.finishedAt ?? 0) - (ended.status.startedAt ?? 0))
  if (ended.status.state !== 'done') {
    const reason = ended.status.errors[0]?.message ?? `its plan was ${ended.status.state}`
    tell(deployment, `was not brought back: ${reason} (\`remodel task ${view.plan.id}\`)`)
    return false
  }
  const after = await client.verdict(deployment, patienceSeconds)
  if (after.deviations.length === 0) tell(deployment, `is back after ${took}`)
  else tell(deployment, `was brought back in ${took}, but still deviates (${described(after.deviations)})`)
  return after.deviations.length === 0
}

/** A plan that was open before goes on by itself, and is waited for. */
async function unlocked(deployment: string, { client, tell, signal }: BringBackOptions): Promise<void> {
  let told = false
  for (;;) {
    const lock = (await client.locks(deployment)).find(({ plan }) => plan !== null)
    if (!lock) return
    if (!told) tell(deployment, `plan ${lock.plan} goes on first (${lock.message || 'no message'})`)
    told = true
    await setTimeout(lookMs, undefined, { signal })
  }
}

async function end({ plan }: PlanView, { client, signal }: BringBackOptions): Promise<PlanView> {
  for (;;) {
    const view = await client.planView(plan.id)
    if (isFinal(view.status.state)) return view
    await setTimeout(lookMs, undefined, { signal })
  }
}

/** Of a plan that was forgotten it is not known. */
async function endedWell(client: Client, plan: string): Promise<boolean> {
  const view = await client.planView(plan).catch((error) => {
    if (error instanceof RemodelError && error.code === 'not-found') return null
    throw error
  })
  return view === null || view.status.state === 'done'
}

/** `web/0 is missing and 4 more`. */
function described(deviations: Verdict['deviations']): string {
  const [first, ...more] = deviations
  const begin = `${first!.material} ${first!.what}`
  return more.length === 0 ? begin : `${begin}, and ${count(more.length, 'thing')} more`
}
