import type { PlanRecord, RemodelRecord } from '../../../../shared/ledger/records.ts'
import type { Plan } from '../../../../shared/model/plan.ts'
import { jobId } from '../../../../shared/queue/payloads.ts'

/** More of a plan is not written on one page: `remodel task --verbose` prints all of it. */
const mostRemodels = 1000

/**
 * A plan as its jobs on the board point to it: how the ledger says that it stands, each remodel with a link to its job.
 */
export function planPage(
  plan: Pick<Plan, 'remodels'>,
  status: PlanRecord,
  records: readonly RemodelRecord[],
  jobOf: (key: string) => string | undefined,
): string {
  const states = new Map(records.map((record) => [record.id, record]))
  const rows = plan.remodels.slice(0, mostRemodels).map(({ id, title, queue, step, input }) => {
    const record = states.get(id)
    const own = jobId(status.id, id, record?.release ?? 1)
    const job = step === 'compile-package' ? (jobOf(own) ?? jobOf(String(Object(input).key))) : own
    const begun = record?.startedAt !== null
    const name =
      queue && job && begun
        ? `<a href="/board/queue/${encodeURIComponent(queue)}/${encodeURIComponent(job)}">${text(title)}</a>`
        : text(title)
    return `<tr><td>${text(record?.state ?? 'blocked')}</td><td>${name}</td><td>${record?.attempt ?? 0}</td></tr>`
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
<table><tr><th>state</th><th>remodel</th><th>attempts</th></tr>${rows.join('\n')}</table>
${plan.remodels.length > mostRemodels ? `<p>and ${plan.remodels.length - mostRemodels} more</p>` : ''}`
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
