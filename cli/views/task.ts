import type { PlanView, RemodelStatus } from '../../shared/api/schemas/plan.ts'
import { actorText } from '../../shared/model/actor.ts'
import type { Remodel } from '../../shared/model/plan.ts'
import { compilingLine, packageNotes } from './compiling.ts'
import { deviationLines, errorLines, tally } from './result.ts'
import { parkedPhrase, shownState, stateMark, statePainted } from './state.ts'
import { padEnd, plain, type Style, width } from './style.ts'
import { dateTime, duration } from './time.ts'

/** A plan and how it stands, remodel by remodel; with `verbose` also barriers, workers and fences. */
export function planViewLines(view: PlanView, style: Style, verbose: boolean, now: number): string[] {
  const { plan, status } = view
  const states = new Map(view.remodels.map((remodel) => [remodel.id, remodel]))
  const shown = (id: string) => {
    const remodel = states.get(id)
    return remodel && { ...remodel, state: shownState(remodel, status.state) }
  }
  const listed = plan.remodels.filter((remodel) => verbose || remodel.action !== 'barrier')
  const lines = [
    `${style.bold(plan.id)}  ${plain(plan.deployment)}  ${statePainted(status.state, style)}`,
    `  ${times(view, now)}`,
    `  ${tally(view)}`,
  ]
  if (status.parked) lines.push(`  ${style.yellow(parkedPhrase(status.parked))}`)
  if (view.compiling && view.compiling.packages.length > 0) lines.push(`  ${plain(compilingLine(view.compiling))}`)
  const notes = packageNotes(view.compiling, now)
  for (const [stage, remodels] of Map.groupBy(listed, (remodel) => remodel.stage)) {
    const titles = Math.max(...remodels.map((remodel) => width(plain(remodel.title))))
    lines.push('', `  ${style.bold(plain(stage))}`)
    lines.push(
      ...remodels.map((remodel) =>
        remodelLine(remodel, shown(remodel.id), { note: notes.get(remodel.id) ?? '', titles, style, verbose, now }),
      ),
    )
  }
  if (status.errors.length > 0) lines.push('', ...errorLines(view, style, true))
  if (status.verdict && status.verdict.deviations.length > 0) lines.push('', ...deviationLines(status.verdict, style))
  return [...lines, ...next(view)]
}

function remodelLine(
  remodel: Remodel,
  status: (Omit<RemodelStatus, 'state'> & { state: string }) | undefined,
  { note, titles, style, verbose, now }: { note: string; titles: number; style: Style; verbose: boolean; now: number },
): string {
  const state = status?.state ?? 'blocked'
  const took = status && status.startedAt !== null ? duration((status.finishedAt ?? now) - status.startedAt) : ''
  const facts = [
    took,
    plain(note),
    state === 'done' || state === 'running' ? '' : state,
    status?.waitsFor ? `for ${plain(status.waitsFor)}` : '',
    status && status.attempt > 1 ? `attempt ${status.attempt}` : '',
    verbose && status?.worker ? `${status.worker} fence ${status.fence}` : '',
  ]
  const text = style.dim(facts.filter(Boolean).join('  '))
  return `    ${stateMark(state, style)} ${padEnd(plain(remodel.title), titles)}  ${text}`.trimEnd()
}

function times(view: PlanView, now: number): string {
  const { createdAt, startedAt, finishedAt, by } = view.status
  const begun = `begun ${dateTime(startedAt ?? createdAt)}${by === null ? '' : ` by ${plain(actorText(by))}`}`
  if (startedAt === null) return `planned ${dateTime(createdAt)}, not applied`
  if (finishedAt === null) return `${begun}, running for ${duration(now - startedAt)}`
  return `${begun}, ended ${dateTime(finishedAt)}, took ${duration(finishedAt - startedAt)}`
}

function next(view: PlanView): string[] {
  const { id } = view.plan
  switch (view.status.state) {
    case 'stored':
      return ['', `To carry it out: remodel apply ${id}`]
    case 'running':
    case 'parked':
    case 'failing':
      return ['', `To watch it: remodel task ${id} --follow`]
    default:
      return []
  }
}
