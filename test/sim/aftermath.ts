import { deploymentOf } from '../../shared/ledger/keys.ts'
import type { Journal, Order } from './client.ts'
import type { QueueModel } from './queue/model.ts'
import type { RedisModel } from './redis/model.ts'
import { settings } from './services.ts'
import type { World } from './world.ts'

/** State of a plan as the ledger has it. */
export function stateOf(redis: RedisModel, deployment: string, plan: string): string | undefined {
  return redis.read(`${settings.prefix}:{${deployment}}:plan:${plan}`, 'hash')?.get('state')
}

/** What every plan that is not over waits for. */
export function waiting(redis: RedisModel, plans: readonly { id: string; deployment: string }[]): string {
  const phrases = plans.flatMap(({ id, deployment }) => {
    const states =
      redis.read(`${settings.prefix}:{${deployment}}:plan:${id}:state`, 'hash') ?? new Map<string, string>()
    const left = [...states].filter(([, state]) => !['done', 'failed', 'skipped'].includes(state))
    if (left.length === 0) return []
    return [
      `${id} (${stateOf(redis, deployment, id)}): ${left.map(([remodel, state]) => `${remodel} ${state}`).join(', ')}`,
    ]
  })
  return phrases.join('; ')
}

/** Plans that ended otherwise than they should: as [rule, message]. Only causes that the seed put there count. */
export function unfairEnds(redis: RedisModel, journals: readonly Journal[], faultless: boolean): [string, string][] {
  return journals.flatMap(({ drawn }) =>
    drawn.flatMap((one) => {
      const together = one.between?.opened ? [one, one.between] : [one]
      return together.flatMap((order) => unfairEnd(redis, order, { faultless, isAlone: together.length === 1 }))
    }),
  )
}

interface PlanError {
  remodel: string
  code: string
  message: string
}

/** `isAlone`: no other plan of the deployment was open meanwhile. */
function unfairEnd(
  redis: RedisModel,
  { plan, intentions }: Order,
  { faultless, isAlone }: { faultless: boolean; isAlone: boolean },
): [string, string][] {
  const found: [string, string][] = []
  const key = `${settings.prefix}:{${plan.deployment}}:plan:${plan.id}`
  const state = stateOf(redis, plan.deployment, plan.id)
  const errors = (redis.read(`${key}:errors`, 'list') ?? []).map((text) => JSON.parse(text) as PlanError)
  const action = (id: string) => plan.remodels.find((remodel) => remodel.id === id)?.action
  if (state !== undefined && redis.read(`${settings.prefix}:plans`, 'hash')?.get(plan.id) === undefined) {
    found.push(['listed', `${plan.id} is stored but not listed`])
  }
  for (const { remodel, code, message } of errors) {
    const refused = code === 'cancelled' && action(remodel) === 'approve'
    // Of two that are open together, each may be superseded by the other one while it is parked.
    if (code === 'superseded' && !(isAlone && faultless)) continue
    if (refused || ['job-failed', 'infrastructure', 'deadline'].includes(code)) continue
    found.push(['fair-failure', `${plan.id} ${remodel} failed with ${code}: ${message}`])
  }
  if (state === 'failed' && errors.length === 0) found.push(['fair-failure', `${plan.id} failed without a cause`])
  const willing = intentions.cancelAfterMs === null && [...intentions.approvals.values()].every((one) => one === true)
  const sound = plan.remodels.every(({ input, attempts }) => {
    const { nature, key: compiled } = input as { nature?: string; key?: string }
    return nature !== 'broken' && compiled !== 'broken-key' && (nature !== 'flaky' || attempts > 1)
  })
  // Compiling may honestly take longer than its deadline, and a gate may be reached when its time is over.
  const lateAt = (remodel: string) => action(remodel) === 'compile' || action(remodel) === 'gate'
  const late = errors.length > 0 && errors.every(({ remodel, code }) => code === 'deadline' && lateAt(remodel))
  if (faultless && willing && sound && isAlone && state !== 'done' && !late) {
    found.push(['fair-failure', `${plan.id} ended ${state} without any fault: ${JSON.stringify(errors)}`])
  }
  return found
}

/** What is there though no plan is open. What processes that still live keep for themselves does not count. */
export function leaks(
  { model: redis, stepMs: clockSteppedMs }: { model: RedisModel; stepMs: number },
  world: World,
  queues: readonly QueueModel[],
  living: ReadonlySet<string>,
): string[] {
  const keys = redis.keys().filter((key) => {
    // What ends by itself after a while (half a plan that was stored, a compile request that is
    // not repeated) is no leak.
    if (redis.endOf(key) !== undefined && !key.includes(':alive:') && !key.endsWith(':claim')) return false
    const [, plan] = partOfRunning.exec(key) ?? []
    if (plan !== undefined) return stateOf(redis, deploymentOf(key.split(':plan:')[0]!), plan) !== 'stored'
    // A key that runs out by a clock that was set back is there for that much longer.
    if (key.includes(':alive:') && clockSteppedMs < 0) return false
    if (key.includes(':alive:')) return !living.has(key.slice(key.lastIndexOf(':') + 1))
    return /:(lock|parked|claim|active)$/.test(key) || /:request:[^:]+(:subscribers)?$/.test(key)
  })
  const jobs = queues.flatMap((queue) => queue.unfinished().map((job) => `job ${job.id} (${job.state})`))
  const vms = [...world.vms.values()].filter(({ ownership }) => !living.has(ownership.owner.slice('compiler/'.length)))
  return [...keys, ...jobs, ...vms.map(({ id }) => id)]
}

/** Keys that a plan has only while it runs. */
const partOfRunning =
  /:plan:([^:]+):(?:todo|unmet|backlog:.*|published:.*|later|running|held:.*|windows|places|carried|doomed|line:.*|waiting:.*)$/
