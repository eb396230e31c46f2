import { expect, test } from 'vitest'
import { planPage } from '../../services/planner/http/board/plan-page.ts'
import type { PlanRecord } from '../../shared/ledger/records.ts'
import { planOf, remodel } from '../support/plans.ts'

const counts = { total: 3, done: 0, failed: 0, skipped: 0, running: 0 }
const status = { id: 'p1', deployment: 'd', state: 'running', counts, errors: [], moreErrors: 0 } as never as PlanRecord
const plan = planOf('d', [
  remodel('one', [], { reasons: [{ code: 'is-new' }] }),
  remodel('two', [], { reasons: [{ code: 'is-new' }, { code: 'size-changed', before: 1 }] }),
  remodel('three', [], { reasons: ['as an earlier version said it'] as never }),
])
const page = (reason?: string) =>
  planPage({
    ...{ plan, status, records: [], jobOf: () => undefined, reason },
    say: ({ code, before }) => (code === 'size-changed' ? `was <${before}>` : undefined),
  })

test('a plan shows for each remodel why it is in the plan, in the words of its kind, with a way to the others', () => {
  expect(page()).toContain('<a href="?reason=is-new">is new</a>; <a href="?reason=size-changed">was &lt;1&gt;</a>')
  expect(page()).toContain('<td>as an earlier version said it</td>')
})

test('a plan that is looked at by a reason shows the remodels that have it, and says of how many', () => {
  const shown = page('size-changed')
  expect(shown).toContain('1 with the reason <code>size-changed</code>; <a href="?">all 3</a>')
  expect(shown).toContain('two')
  for (const other of ['one', 'three']) expect(shown).not.toContain(`<td>${other}`)
  expect(page('<script>')).toContain('0 with the reason <code>&lt;script&gt;</code>')
})
