import type { Event } from '../../shared/api/schemas/event.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Context } from '../context.ts'
import type { Watcher } from '../follow.ts'
import { Block } from './block.ts'
import { plainLines, scrollingLines } from './happening.ts'
import { Progress } from './progress.ts'
import { plain } from './style.ts'
import { clock, elapsed } from './time.ts'

/** Shows a running plan until `end`, which must be called whatever happens. */
export interface Live extends Watcher {
  readonly progress: Progress
  end(): void
}

const HEARTBEAT_MS = 10_000

/** The way to show a running plan that fits where the output goes: JSON lines, a redrawn block, or plain lines. */
export function createLive(plan: Plan, context: Context): Live {
  if (context.json) return jsonLive(plan, context)
  return process.stdout.isTTY === true && process.env.TERM !== 'dumb'
    ? blockLive(plan, context)
    : plainLive(plan, context)
}

function jsonLive(plan: Plan, context: Context): Live {
  const progress = new Progress(plan)
  return {
    progress,
    event(event: Event) {
      progress.take(event)
      context.line(event)
    },
    lost() {},
    found() {},
    end() {},
  }
}

function blockLive(plan: Plan, context: Context): Live {
  const { style } = context
  const progress = new Progress(plan)
  const block = new Block(progress, style)
  return {
    progress,
    event(event) {
      const happening = progress.take(event)
      block.scroll(happening ? scrollingLines(happening, style) : [])
    },
    lost() {
      block.notice = 'the planner does not answer; trying again'
    },
    found() {
      block.notice = ''
    },
    end() {
      block.end()
    },
  }
}

/** One line per thing that happens; where nothing happens, a line each ten seconds says what is running. */
function plainLive(plan: Plan, context: Context): Live {
  const progress = new Progress(plan)
  const announced = new Set<string>()
  let told = Date.now()
  const tell = (lines: readonly string[]) => {
    for (const line of lines) context.say(line)
    if (lines.length > 0) told = Date.now()
  }
  const timer = setInterval(() => {
    const now = Date.now()
    for (const running of progress.running.values()) {
      // Most remodels end within a second: a line for their beginning would only double the log.
      const key = `${running.id} ${running.attempt}`
      if (announced.has(key) || now - running.since < 1000) continue
      announced.add(key)
      if (running.phrase === '') tell([`${clock(running.since)}  ${plain(running.title)}: started`])
    }
    if (now - told >= HEARTBEAT_MS) tell([`${clock(now)}  ${heartbeat(progress, now)}`])
  }, 500)
  return {
    progress,
    event(event) {
      const happening = progress.take(event)
      if (happening) tell(plainLines(happening))
    },
    lost: () => tell([`${clock(Date.now())}  the planner does not answer; trying again`]),
    found: () => tell([`${clock(Date.now())}  the planner answers again`]),
    end: () => clearInterval(timer),
  }
}

function heartbeat(progress: Progress, now: number): string {
  const running = [...progress.running.values()].sort((a, b) => a.since - b.since)
  if (running.length === 0) return `nothing is running, ${progress.done} of ${progress.total} done`
  const some = running.slice(0, 3).map((one) => `${plain(one.title)} (${elapsed(now - one.since)})`)
  const more = running.length > 3 ? ` and ${running.length - 3} more` : ''
  return `still running: ${some.join(', ')}${more}`
}
