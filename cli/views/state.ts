import type { RemodelStatus } from '../../shared/api/schemas/plan.ts'
import { plain, type Style } from './style.ts'
import { dateTime } from './time.ts'

/** A state of a plan, a remodel or an instance in the colour of what it means. */
export function statePainted(state: string, style: Style): string {
  switch (state) {
    case 'done':
    case 'running':
    case 'started':
      return style.green(state)
    case 'failed':
    case 'failing':
    case 'unresponsive':
    case 'missing':
    case 'down':
      return style.red(state)
    case 'degraded':
    case 'waiting':
    case 'parked':
    case 'cancelling':
    case 'cancelled':
      return style.yellow(state)
    default:
      return style.dim(state)
  }
}

/** What a plan waits for that has given its deployment's lock back. */
export function parkedPhrase({ on, since }: { on: string; since: number }): string {
  return `parked: waits for ${plain(on)} since ${dateTime(since)}`
}

/**
 * The state of a remodel for people: remodels that were begun, or left out, in a plan that was
 * cancelled are shown as that.
 */
export function shownState({ state, attempt }: Pick<RemodelStatus, 'state' | 'attempt'>, plan: string): string {
  return state === 'skipped' && attempt > 0 && /^cancel/.test(plan) ? 'cancelled' : state
}

/** The mark before a remodel in a list: done, failed, running, waiting, left out, not begun. */
export function stateMark(state: string, style: Style): string {
  switch (state) {
    case 'done':
      return style.green('✓')
    case 'failed':
      return style.red('✗')
    case 'running':
      return style.cyan('▸')
    case 'waiting':
      return style.yellow('?')
    case 'cancelled':
    case 'skipped':
      return style.dim('⊘')
    default:
      return style.dim('·')
  }
}
