import type { PlanRecord, RemodelRecord } from '../../../../shared/ledger/records.ts'
import type { Plan } from '../../../../shared/model/plan.ts'
import { codeOfReason, phraseOf, type SayReason } from '../../../../shared/model/reason.ts'
import { jobId } from '../../../../shared/queue/payloads.ts'

/** More of a plan is not written on one page: `remodel task --verbose` prints all of it. */
const mostRemodels = 1000

interface PlanPage {
  plan: Pick<Plan, 'remodels'>
  status: PlanRecord
  records: readonly RemodelRecord[]
  /** The job of a package by its own name, or by its key. */
  jobOf: (key: string) => string | undefined
  /** How the kind of the plan says its reasons. */
  say: SayReason | undefined
  /** Only remodels that are in the plan for this reason are shown: its code. */
  reason: string | undefined
}

/**
 * A plan as its jobs on the board point to it: the state that the ledger has of it, each remodel with a link to its job
 * and with its reasons, which lead to the remodels that have the same.
 */
export function planPage({ plan, status, records, jobOf, say, reason }: PlanPage): string {
  const states = new Map(records.map((record) => [record.id, record]))
  const shown = plan.remodels.filter(
    ({ reasons }) => reason === undefined || reasons.map(codeOfReason).includes(reason),
  )
  const rows = shown.slice(0, mostRemodels).map(({ id, title, queue, step, input, reasons }) => {
    const record = states.get(id)
    const own = jobId(status.id, id, record?.release ?? 1)
    const job = step === 'compile-package' ? (jobOf(own) ?? jobOf(String(Object(input).key))) : own
    const begun = record?.startedAt !== null
    const name =
      queue && job && begun
        ? `<a href="/board/queue/${encodeURIComponent(queue)}/${encodeURIComponent(job)}">${text(title)}</a>`
        : text(title)
    const why = reasons.map((one) => {
      const [code, phrase] = [codeOfReason(one), text(phraseOf(one, say))]
      return code === null ? phrase : `<a href="?reason=${encodeURIComponent(code)}">${phrase}</a>`
    })
    const cells = [text(record?.state ?? 'blocked'), name, `${record?.attempt ?? 0}`, why.join('; ')]
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  })
  const { deployment, state, counts, errors, moreErrors } = status
  const causes = errors.map(
    ({ remodel, code, message, log }) =>
      `<h3>${text(remodel)}</h3><p>${text(`${code}: ${message}`)}</p>${log ? `<pre>${text(log)}</pre>` : ''}`,
  )
  return `<!doctype html><meta charset="utf-8"><title>Plan ${text(status.id)}</title>
<style>body{font:14px system-ui,sans-serif;margin:2em;max-width:70em}td{padding:.1em .8em .1em 0;vertical-align:top}pre{background:#f4f4f4;padding:.6em;overflow:auto}</style>
<p><a href="/board">The board</a></p>
<h1>${text(deployment)}: plan ${text(status.id)} is ${text(state)}</h1>
<p>${counts.done} of ${counts.total} done, ${counts.failed} failed, ${counts.skipped} skipped, ${counts.running} running.
<code>remodel task ${text(status.id)}</code> shows it as well.</p>
${causes.length > 0 ? `<h2>What failed</h2>${causes.join('')}` : ''}${moreErrors > 0 ? `<p>and ${moreErrors} more</p>` : ''}
<h2>Remodels</h2>
${reason === undefined ? '' : `<p>${shown.length} with the reason <code>${text(reason)}</code>; <a href="?">all ${plan.remodels.length}</a></p>`}
<table><tr><th>state</th><th>remodel</th><th>attempts</th><th>why</th></tr>${rows.join('\n')}</table>
${shown.length > mostRemodels ? `<p>and ${shown.length - mostRemodels} more</p>` : ''}`
}

/** The newest plans, each with a link to its page. */
export function plansPage(plans: readonly PlanRecord[]): string {
  const rows = plans.map(({ id, deployment, state, createdAt }) => {
    const link = `<a href="/board/plans/${encodeURIComponent(id)}">${text(id)}</a>`
    return `<tr><td>${new Date(createdAt).toISOString()}</td><td>${text(deployment)}</td><td>${link}</td><td>${text(state)}</td></tr>`
  })
  return `<!doctype html><meta charset="utf-8"><title>Plans</title><p><a href="/board">The board</a></p>
<table><tr><th>drawn</th><th>deployment</th><th>plan</th><th>state</th></tr>${rows.join('\n')}</table>`
}

const letters: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function text(plain: string): string {
  return plain.replaceAll(/[&<>"']/g, (letter) => letters[letter]!)
}
