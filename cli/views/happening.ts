import type { Happening } from './progress.ts'
import { plain, type Style } from './style.ts'
import { clock, duration } from './time.ts'

const LOG_LINES = 20

/** What happened as lines for a pipe or a log: `10:00:01  start web/0: executing pre-start`. */
export function plainLines(happening: Happening): string[] {
  const at = clock(happening.at)
  switch (happening.kind) {
    case 'phrase':
      return [`${at}  ${plain(happening.title)}: ${plain(happening.phrase)}`]
    case 'waiting':
      return [`${at}  ${plain(happening.title)}: waiting${colon(happening.phrase)}`]
    case 'retried':
      return [`${at}  ${plain(happening.title)}: tried again${colon(happening.message)}`]
    case 'done':
      return [`${at}  ${plain(happening.title)}: done (${duration(happening.ms)})`]
    case 'failed': {
      const took = happening.ms === undefined ? '' : ` (after ${duration(happening.ms)})`
      return [
        `${at}  ${plain(happening.title)}: failed: ${plain(happening.message)}${took}`,
        ...logLines(happening.log).map((line) => `          | ${line}`),
      ]
    }
    case 'plan':
      return planLine(happening).map((line) => `${at}  ${line}`)
  }
}

/**
 * What happened as lines that scroll above the redrawn block. Phrases are shown in the block, so they do not scroll.
 */
export function scrollingLines(happening: Happening, style: Style): string[] {
  switch (happening.kind) {
    case 'phrase':
      return []
    case 'waiting':
      return [`  ${style.yellow('?')} ${plain(happening.title)} waits${colon(happening.phrase)}`]
    case 'retried':
      return [`  ${style.yellow('↻')} ${plain(happening.title)} is tried again${style.dim(colon(happening.message))}`]
    case 'done':
      return [`  ${style.green('✓')} ${plain(happening.title)}  ${style.dim(duration(happening.ms))}`]
    case 'failed':
      return [
        `  ${style.red('✗')} ${style.bold(plain(happening.title))}: ${style.red(plain(happening.message))}`,
        ...logLines(happening.log).map((line) => `      ${style.dim('│')} ${line}`),
      ]
    case 'plan':
      return planLine(happening).map((line) => `  ${style.yellow('!')} ${line}`)
  }
}

/** The end of a log, honest about what is left out. */
export function logLines(log: string, limit = LOG_LINES): string[] {
  const lines = plain(log)
    .split('\n')
    .map((line) => line.trimEnd())
  while (lines.length > 0 && lines.at(-1) === '') lines.pop()
  if (lines.length <= limit) return lines
  return [`(${lines.length - limit} lines before this)`, ...lines.slice(-limit)]
}

/** The caller shows the beginning and the end of a plan; this shows what happens in between. */
function planLine(happening: Happening & { kind: 'plan' }): string[] {
  if (happening.type === 'plan.parked')
    return [
      `the plan is parked, and others may change the deployment meanwhile: it waits for ${plain(happening.message)}`,
    ]
  return happening.type === 'plan.cancelling' ? [`the plan is being cancelled${colon(plain(happening.message))}`] : []
}

function colon(text: string): string {
  return text === '' ? '' : `: ${plain(text)}`
}
