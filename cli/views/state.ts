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
    case 'skipped':
      return style.dim('⊘')
    default:
      return style.dim('·')
  }
}
