import { setTimeout } from 'node:timers/promises'
import { phrasesOf } from '../kinds/phrases.ts'
import type { PlanStatus, PlanView } from '../shared/api/schemas/plan.ts'
import { actorText } from '../shared/model/actor.ts'
import { RemodelError, toError } from '../shared/runtime/errors.ts'
import { ask } from './consent.ts'
import type { Context } from './context.ts'
import { followPlan } from './follow.ts'
import { verdictIfUnchanged } from './unchanged.ts'
import { exit } from './verb.ts'
import { createLive } from './views/live.ts'
import { planLines } from './views/plan-text.ts'
import { deviationLines, resultLines } from './views/result.ts'
import { clock } from './views/time.ts'

/** One long wait is asked for in pieces, so that no proxy in between takes it for dead. */
const WAIT_PIECE_SECONDS = 30
/** A server that was just set up may need this long to be as it should be. */
const VERDICT_SECONDS = 10

/** How often a plan is drawn again because another deployment took one of its names. */
const mostPlans = 32

export interface ApplyOptions {
  yes: boolean
  /** Seconds to wait for a locked deployment. */
  waitLock: number
  /** Sentence of a good end; default: that it stands as written. */
  ending?: string
}

/**
 * Draws a plan, shows it, asks unless told not to, applies it and watches it to its end. Answers with the exit code.
 *
 * The holder of a locked deployment is changing its floorplan, so a plan drawn now would be refused later: with
 * `waitLock` the plan is drawn again when the lock is free. It is drawn again too where another deployment takes a name
 * that it needs. The plan that was shown last is the one that is applied.
 */
export async function showAskApply(
  draw: () => Promise<PlanView>,
  context: Context,
  options: ApplyOptions,
): Promise<number> {
  const deadline = Date.now() + options.waitLock * 1000
  for (let plans = 1; ; plans++) {
    const view = await drawUnlocked(draw, context, deadline)
    const { plan, compiling } = view
    const { style, verbose } = context
    const say = await phrasesOf(plan.kind)
    const verdict = await verdictIfUnchanged(plan, context)
    const deviates = verdict !== null && verdict.deviations.length > 0
    for (const line of planLines(plan, { style, verbose, next: [], compiling, deviates, say })) context.say(line)
    if (verdict !== null) {
      if (context.json)
        context.line({ type: 'result', result: 'unchanged', plan: plan.id, status: view.status, verdict })
      for (const line of deviationLines(verdict, style)) context.say(line)
      return deviates ? exit.failed : exit.done
    }
    context.say()
    if (!options.yes && !(await ask('Apply? [y/N] '))) {
      context.say(`Nothing was changed. The plan is kept: remodel apply ${plan.id}`)
      return exit.failed
    }
    try {
      await apply(view, context, 0)
    } catch (error) {
      const again = isClaimed(error) ? plans < mostPlans : isOvertaken(error) && Date.now() < deadline
      if (!again) throw error
      context.remark(`Another deploy was faster, so the plan is drawn again: ${toError(error).message}`)
      continue
    }
    return watch(view, context, options.ending)
  }
}

async function drawUnlocked(draw: () => Promise<PlanView>, context: Context, deadline: number): Promise<PlanView> {
  const client = await context.client()
  for (;;) {
    const view = await draw()
    const { deployment } = view.plan
    const locked = async () => (await client.locks(deployment)).find((lock) => lock.plan !== null)
    const lock = Date.now() < deadline ? await locked() : undefined
    if (!lock) return view
    const left = Math.ceil((deadline - Date.now()) / 1000)
    context.remark(
      `Waiting up to ${left} s for ${deployment}: ${actorText(lock.holder)} holds it since ${clock(lock.since)} (${lock.message})`,
    )
    while (Date.now() < deadline && (await locked())) await setTimeout(500)
  }
}

/** Another deployment took a name that was free when the plan was drawn. */
function isClaimed(error: unknown): boolean {
  return error instanceof RemodelError && error.code === 'claimed'
}

function isOvertaken(error: unknown): boolean {
  return error instanceof RemodelError && (error.code === 'floorplan-moved' || error.code === 'locked')
}

/** Applies a stored plan and watches it to its end. */
export async function applyAndWatch(view: PlanView, context: Context, options: { waitLock: number }): Promise<number> {
  await apply(view, context, options.waitLock)
  return watch(view, context)
}

/**
 * Watches an applied plan to its end and shows the result. Ctrl-C leaves: the plan goes on, and a sentence says how to
 * come back and how to cancel.
 */
export async function watch(view: PlanView, context: Context, ending?: string): Promise<number> {
  const client = await context.client()
  const left = new AbortController()
  const leave = () => left.abort()
  process.once('SIGINT', leave)
  const live = createLive(view.plan, context)
  try {
    const ended = await followPlan(client, view.plan, live, left.signal).finally(() => live.end())
    if (ended === null) return detached(view, context)
    const { state } = ended.status
    const verdict = state === 'done' ? await client.verdict(view.plan.deployment, VERDICT_SECONDS) : null
    if (context.json)
      context.line({ type: 'result', result: state, plan: view.plan.id, status: { ...ended.status, verdict } })
    const end = { verdict, ...(ending === undefined ? {} : { ending }) }
    for (const line of resultLines(ended, live.progress.stages, context.style, end)) context.say(line)
    return verdict?.deviations.length === 0 ? exit.done : exit.failed
  } finally {
    process.removeListener('SIGINT', leave)
  }
}

function detached(view: PlanView, context: Context): number {
  if (context.json) context.line({ type: 'result', result: 'detached', plan: view.plan.id })
  context.say(`\nYou left. The plan for ${view.plan.deployment} goes on without you.`)
  context.say(`  come back:  remodel task ${view.plan.id} --follow`)
  context.say(`  stop it:    remodel cancel ${view.plan.id}`)
  return exit.detached
}

/** Waits for the deployment's lock as long as the user wants; says who holds it. */
async function apply(view: PlanView, context: Context, waitLock: number): Promise<PlanStatus> {
  const client = await context.client()
  const deadline = Date.now() + waitLock * 1000
  let waitSeconds = 0
  for (;;) {
    try {
      return await client.apply(view.plan.id, {
        message: process.argv.slice(2).join(' '),
        waitSeconds,
      })
    } catch (error) {
      const left = (deadline - Date.now()) / 1000
      if (!(error instanceof RemodelError) || error.code !== 'locked' || left <= 0) throw error
      // The first try did not wait, so that the user learns at once who holds the lock.
      if (waitSeconds === 0) context.remark(`Waiting up to ${Math.ceil(left)} s: ${error.message}`)
      waitSeconds = Math.min(left, WAIT_PIECE_SECONDS)
    }
  }
}
