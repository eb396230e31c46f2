import { planLines } from '../../cli/views/plan-text.ts'
import { createStyle } from '../../cli/views/style.ts'
import { phrases as ofDatabases } from '../../kinds/database/reasons.ts'
import { phrases as ofDeployments } from '../../kinds/deployment/reasons.ts'
import type { Plan } from '../../shared/model/plan.ts'

/**
 * A plan as a reviewer reads it: what a user is shown, then every remodel with what it waits for and the windows of its
 * permit. Digests and ids of machines are cut to what tells them apart.
 */
export function asText(plan: Plan): string {
  const say = plan.kind === 'database' ? ofDatabases : ofDeployments
  const shown = planLines(plan, { verbose: false, style: createStyle(false), next: [], say })
  const number = new Map(plan.remodels.map(({ id }, i) => [id, i + 1]))
  const windowsOf = new Map(plan.permits.map(({ name, windows }) => [name, windows]))
  const order = plan.remodels.map(({ id, needs, permit, when, destructive }, i) => {
    const behind = needs.length === 0 ? '' : `  after ${needs.map((need) => number.get(need)).join(' ')}`
    const windows = permit === undefined ? [] : (windowsOf.get(permit) ?? [])
    const held = windows.length === 0 ? '' : `  in ${windows.join(', ')}`
    const more = [when === 'healthy' ? '' : `  ${when}`, destructive ? '  destructive' : ''].join('')
    return `${String(i + 1).padStart(3)} ${id}${behind}${held}${more}`
  })
  const windows = plan.windows.map(({ name, limit }) => `${name}: ${limit}`)
  const lines = [...shown, '', 'ORDER', ...order, ...(windows.length === 0 ? [] : ['', 'WINDOWS', ...windows])]
  return `${lines.map(short).join('\n')}\n`
}

const short = (line: string) => line.replace(/\b(sha256:)?([0-9a-f]{6})[0-9a-f]{26,}\b/g, '$2…').replace(/\s+$/, '')
