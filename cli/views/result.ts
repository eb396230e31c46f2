import type { PlanView } from '../../shared/api/schemas/plan.ts'
import { CompileSpec } from '../../shared/compilation/spec.ts'
import type { Verdict } from '../../shared/model/verdict.ts'
import { logLines } from './happening.ts'
import type { StageTime } from './progress.ts'
import { shownState } from './state.ts'
import { padEnd, padStart, plain, type Style, width } from './style.ts'
import { count } from './table.ts'
import { duration } from './time.ts'

/** How a plan ended, for people: stages with their durations, then one sentence; a failure says what to do. */
export function resultLines(
  view: PlanView,
  stages: readonly StageTime[],
  style: Style,
  { verdict, ending }: { verdict: Verdict | null; ending?: string },
): string[] {
  const { status } = view
  const deviates = verdict !== null && verdict.deviations.length > 0
  const took =
    status.startedAt !== null && status.finishedAt !== null
      ? ` in ${duration(status.finishedAt - status.startedAt)}`
      : ''
  const lines = ['', ...stageLines(stages, style)]
  switch (status.state) {
    case 'done':
      if (deviates)
        return [...lines, style.yellow(style.bold(`Carried out${took}.`)), ...deviationLines(verdict, style)]
      return [
        ...lines,
        `${style.green(style.bold(`Done${took}.`))} ${plain(ending ?? `${view.plan.deployment} stands as written.`)}`,
        ...warningLines(verdict, view.plan.notes, style),
      ]
    case 'cancelled':
      return [...lines, style.yellow(style.bold(`Cancelled${took}.`)), `  ${tally(view)}`, ...again(view, style)]
    case 'failed':
      return [
        ...lines,
        style.red(style.bold(`Failed${took}.`)),
        // Their logs were shown at the moment of failure.
        ...errorLines(view, style, false),
        `  ${tally(view)}`,
        ...again(view, style),
      ]
    default:
      return [...lines, `${status.state}: ${tally(view)}`]
  }
}

/** Those that its plan did not say. */
function warningLines(verdict: Verdict | null, said: readonly string[], style: Style): string[] {
  const fresh = (verdict?.warnings ?? []).filter((warning) => !said.includes(warning))
  return fresh.map((warning) => style.yellow(`  Warning: ${plain(warning)}`))
}

/** What is not as it was recorded; nothing where everything is. */
export function deviationLines({ deviations }: Verdict, style: Style): string[] {
  if (deviations.length === 0) return []
  return [
    style.yellow('  But this is not as it should be:'),
    ...deviations.flatMap(({ material, what, next }) => [
      `  ${style.red('✗')} ${style.bold(plain(material))} ${plain(what)}`,
      ...(next === undefined ? [] : [`      next: ${plain(next)}`]),
    ]),
    style.dim(
      '  Look at it with remodel instances and remodel logs; the next deploy makes anew what is gone, deploy --recreate all of it.',
    ),
  ]
}

/** The root causes, each once; with `logs` also the end of the failing log. */
export function errorLines(view: PlanView, style: Style, logs: boolean): string[] {
  const titles = new Map(view.plan.remodels.map((remodel) => [remodel.id, remodel.title]))
  const lines = view.status.errors.flatMap((error) => [
    `  ${style.red('✗')} ${style.bold(plain(titles.get(error.remodel) ?? error.remodel))}: ${plain(error.message)}`,
    ...notCompiled(view, error.remodel).map((line) => `      ${style.dim(plain(line))}`),
    ...(error.log === undefined || !logs ? [] : logLines(error.log).map((line) => `      ${style.dim('│')} ${line}`)),
  ])
  const more = view.status.moreErrors
  return more === 0 ? lines : [...lines, `  and ${more} more that failed`]
}

/** The packages that were left out because this one failed; the rest of a plan that is skipped is only counted. */
function notCompiled({ plan, remodels }: PlanView, failed: string): string[] {
  const skipped = new Set(remodels.filter(({ state }) => state === 'skipped').map(({ id }) => id))
  const because = new Set([failed])
  const names: string[] = []
  // A plan lists what is needed before what needs it.
  for (const { id, action, needs, title, input } of plan.remodels) {
    if (action !== 'compile' || !skipped.has(id) || !needs.some((need) => because.has(need))) continue
    because.add(id)
    names.push(CompileSpec.safeParse(input).data?.name ?? title)
  }
  return names.length > 0 ? [`so not compiled: ${names.join(', ')}`] : []
}

/**
 * `35 of 40 done, 1 failed, 4 skipped.` Remodels that a cancellation stopped are counted apart from those that
 * it kept from beginning.
 */
export function tally({ status, remodels }: Pick<PlanView, 'status' | 'remodels'>): string {
  const { total, done, failed, running } = status.counts
  const cancelled = remodels.filter((remodel) => shownState(remodel, status.state) === 'cancelled').length
  const skipped = status.counts.skipped - cancelled
  const rest = total - done - failed - status.counts.skipped - running
  const parts = [
    `${done} of ${total} done`,
    running > 0 ? `${running} running` : '',
    failed > 0 ? `${failed} failed` : '',
    cancelled > 0 ? `${cancelled} cancelled` : '',
    skipped > 0 ? `${skipped} skipped` : '',
    rest > 0 ? `${rest} not begun` : '',
  ]
  return `${parts.filter(Boolean).join(', ')}.`
}

function again(view: PlanView, style: Style): string[] {
  return [
    style.dim(`  What was done stays. The next deploy of ${plain(view.plan.deployment)} goes on from there;`),
    style.dim(`  remodel task ${view.plan.id} shows everything about this one.`),
  ]
}

function stageLines(stages: readonly StageTime[], style: Style): string[] {
  const timed = stages.filter((stage) => stage.done > 0)
  if (timed.length < 2) return []
  const names = Math.max(...timed.map((stage) => width(plain(stage.name))))
  const times = timed.map((stage) => duration((stage.to ?? 0) - (stage.from ?? stage.to ?? 0)))
  const longest = Math.max(...times.map(width))
  return [
    ...timed.map((stage, index) => {
      const of = stage.done < stage.total ? ` of ${stage.total}` : ''
      const amount = `${count(stage.done, 'remodel')}${of}`
      return `  ${padEnd(plain(stage.name), names)}  ${style.bold(padStart(times[index] ?? '', longest))}  ${style.dim(amount)}`
    }),
    '',
  ]
}
