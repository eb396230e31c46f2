import { setTimeout } from 'node:timers/promises'
import type { Client } from '../shared/api/client.ts'
import type { Verdict } from '../shared/model/verdict.ts'
import { eachAtMost } from '../shared/runtime/parallel.ts'
import { reasonOf } from '../shared/runtime/system-error.ts'
import { followPlan, type Watcher } from './follow.ts'
import { isEmpty } from './views/plan.ts'
import { count } from './views/table.ts'
import { duration } from './views/time.ts'

/** What a deployment that deviates may need until it is as it was recorded, without a plan. */
const patienceSeconds = 5
const lockedMs = 500
const atOnce = 4
const silent: Watcher = { event() {}, lost() {}, found() {} }

export interface BringBackOptions {
  client: Client
  /** Default: all that there are. */
  deployments?: readonly string[]
  /** One sentence for people about one deployment. */
  tell(deployment: string, sentence: string): void
  /** Why, for the locks of the deployments. */
  message: string
  /** What was begun goes on without this. */
  signal: AbortSignal
}

/**
 * Makes deployments again what they were recorded as: of each that deviates from its record the newest order is
 * planned once more and carried out. A deployment whose last plan did not end well is left alone, be it a deploy or a
 * removal: to try that again, or to go back, is for a person to decide. Answers the deployments that still deviate, or
 * that could not be looked at.
 */
export async function bringBack(options: BringBackOptions): Promise<string[]> {
  const { client, signal, tell } = options
  const names = options.deployments ?? (await client.deployments()).map(({ name }) => name)
  const left: string[] = []
  await eachAtMost(atOnce, names, async (deployment) => {
    if (signal.aborted) return
    const is = await bringOneBack(deployment, options).catch((error) => {
      if (!signal.aborted) tell(deployment, `cannot be brought back: ${reasonOf(error)}`)
      return false
    })
    if (!is) left.push(deployment)
  })
  return left
}

/** Whether it is as it was recorded, in the end. */
async function bringOneBack(deployment: string, options: BringBackOptions): Promise<boolean> {
  const { client, tell, message, signal } = options
  await unlocked(deployment, options)
  const { deviations } = await client.verdict(deployment, patienceSeconds)
  if (deviations.length === 0) return true
  const wrong = `is not as it was recorded (${described(deviations)})`
  const left = (why: string): false => {
    tell(deployment, `${wrong}, ${why}`)
    return false
  }
  const { lastPlan } = await client.deployment(deployment)
  if (lastPlan && lastPlan.state !== 'done') {
    return left(`and its last plan, ${lastPlan.id}, is ${lastPlan.state}: deploy it again, or roll it back`)
  }
  const [newest] = await client.orders(deployment)
  if (!newest) return left('and no order of it is kept: deploy it again')
  const { plan } = await client.planRollback(deployment, { to: newest.version })
  if (isEmpty(plan)) {
    return left(`and deploying it again would change nothing: look at it with remodel instances ${deployment}`)
  }
  tell(deployment, `${wrong}: plan ${plan.id} brings it back`)
  await client.apply(plan.id, { message })
  const ended = await followPlan(client, plan, silent, signal)
  if (ended === null) return false
  const { state, errors, startedAt, finishedAt } = ended.status
  if (state !== 'done') {
    tell(deployment, `was not brought back: ${errors[0]?.message ?? `plan ${plan.id} is ${state}`}`)
    return false
  }
  const after = await client.verdict(deployment, patienceSeconds)
  const took = duration((finishedAt ?? 0) - (startedAt ?? 0))
  if (after.deviations.length === 0) tell(deployment, `is back after ${took}`)
  else tell(deployment, `was brought back in ${took}, but still deviates (${described(after.deviations)})`)
  return after.deviations.length === 0
}

/** A plan that was open before goes on by itself, and is waited for while it holds the deployment. */
async function unlocked(deployment: string, { client, tell, signal }: BringBackOptions): Promise<void> {
  for (let told = false; ; told = true) {
    const lock = (await client.locks(deployment)).find(({ plan }) => plan !== null)
    if (!lock) return
    if (!told) tell(deployment, `plan ${lock.plan} goes on first (${lock.message || 'no message'})`)
    await setTimeout(lockedMs, undefined, { signal })
  }
}

/** `instance/web/0 is missing, and 4 things more`. */
function described(deviations: Verdict['deviations']): string {
  const [first, ...more] = deviations
  const begin = `${first!.material} ${first!.what}`
  return more.length === 0 ? begin : `${begin}, and ${count(more.length, 'thing')} more`
}
