import type { Event } from '../../shared/api/schemas/event.ts'
import { actorText } from '../../shared/model/actor.ts'
import { logLines } from './happening.ts'
import { padEnd, padStart, plain, type Style } from './style.ts'
import { dateTime, duration } from './time.ts'

/** One event as a line of a deployment's history; a failure brings the end of its log. */
export function eventLine(event: Event, style: Style): string {
  const paint = event.type.endsWith('.failed')
    ? style.red
    : event.type.endsWith('.done')
      ? style.green
      : event.type.endsWith('.progress')
        ? style.dim
        : style.cyan
  const parts = [
    style.dim(padStart(String(event.seq), 5)),
    style.dim(dateTime(event.at)),
    paint(padEnd(event.type, 16)),
    plain(event.remodel ?? event.plan),
    event.type === 'plan.started' && event.by ? `by ${plain(actorText(event.by))}` : '',
    event.durationMs === undefined ? '' : style.dim(`(${duration(event.durationMs)})`),
    event.message === undefined || event.message === '' ? '' : plain(event.message),
    event.attempt !== undefined && event.attempt > 1
      ? style.yellow(`attempt ${event.attempt} fence ${event.fence ?? '?'}`)
      : '',
    event.worker === undefined ? '' : style.dim(plain(event.worker)),
  ]
  const log = event.log === undefined ? [] : logLines(event.log).map((line) => `        ${style.dim('│')} ${line}`)
  return [parts.filter(Boolean).join('  '), ...log].join('\n')
}
