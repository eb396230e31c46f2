import type { Progress, Running } from './progress.ts'
import { cut, padEnd, plain, type Style, width } from './style.ts'
import { elapsed } from './time.ts'
import { columnsOf, wrap } from './wrap.ts'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const REDRAW_MS = 100
const MOST_ROWS = 12

/**
 * What runs now, redrawn at the foot of the terminal, while finished lines scroll above it.
 *
 * Each redraw is one write: erase what was drawn, print what is finished, draw again. Lines are cut to the terminal's
 * width, because a wrapped line would make the next erase miss by one. Lines wait for the next redraw, so that a burst
 * of thousands of events costs one.
 */
export class Block {
  notice = ''
  readonly #progress: Progress
  readonly #style: Style
  readonly #timer: NodeJS.Timeout
  readonly #restore = () => process.stdout.write(SHOW_CURSOR)
  #waiting: string[] = []
  #drawn = 0
  #frame = 0

  constructor(progress: Progress, style: Style) {
    this.#progress = progress
    this.#style = style
    process.stdout.write(HIDE_CURSOR)
    process.once('exit', this.#restore)
    this.#timer = setInterval(() => this.#draw(this.#lines()), REDRAW_MS)
  }

  /** Lines that are finished and scroll away above the block. */
  scroll(lines: readonly string[]): void {
    this.#waiting.push(...lines.flatMap((line) => wrap(line, columnsOf(process.stdout))))
  }

  /** Prints what is left and takes the block away. */
  end(): void {
    clearInterval(this.#timer)
    process.removeListener('exit', this.#restore)
    this.#draw([])
    process.stdout.write(SHOW_CURSOR)
  }

  #draw(block: readonly string[]): void {
    const erase = this.#drawn > 0 ? `\u001b[${this.#drawn}A\r\u001b[0J` : ''
    const text = [...this.#waiting, ...block].map((line) => `${line}\n`).join('')
    this.#waiting = []
    this.#drawn = block.length
    if (erase !== '' || text !== '') process.stdout.write(erase + text)
  }

  #lines(): string[] {
    const columns = process.stdout.columns || 80
    const rows = Math.max(1, Math.min(MOST_ROWS, (process.stdout.rows || 24) - 5))
    const running = [...this.#progress.running.values()].sort((a, b) => a.since - b.since)
    const shown = running.slice(0, rows)
    const titles = Math.min(48, Math.max(0, ...shown.map((one) => width(plain(one.title)))))
    this.#frame = (this.#frame + 1) % FRAMES.length
    const lines = shown.map((one) => this.#line(one, titles))
    if (running.length > shown.length) lines.push(this.#style.dim(`    and ${running.length - shown.length} more`))
    return [...lines, this.#foot()].map((line) => cut(line, columns - 1))
  }

  #line(running: Running, titles: number): string {
    const { cyan, dim, yellow } = this.#style
    const mark = running.waiting ? yellow('?') : cyan(FRAMES[this.#frame] ?? '')
    const attempt = running.attempt > 1 ? yellow(` attempt ${running.attempt}`) : ''
    const age = elapsed(Date.now() - running.since)
    return `  ${mark} ${padEnd(plain(running.title), titles)}  ${padEnd(dim(age), 8)}${attempt}  ${plain(running.phrase)}`
  }

  #foot(): string {
    const { done, failed, total, running, startedAt } = this.#progress
    const { bold, dim, red, yellow } = this.#style
    const since = startedAt === undefined ? '' : `  ${elapsed(Date.now() - startedAt)}`
    const bar = total === 0 ? '' : `${gauge(done / total)}  `
    const failures = failed > 0 ? `, ${red(`${failed} failed`)}` : ''
    const notice = this.notice === '' ? '' : `  ${yellow(this.notice)}`
    const head = bold(this.#progress.plan.deployment)
    return `  ${dim(bar)}${head}  ${done} of ${total} done${failures}, ${running.size} running${dim(since)}${notice}`
  }
}

function gauge(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * 16)
  return `${'━'.repeat(full)}${'╌'.repeat(16 - full)}`
}
