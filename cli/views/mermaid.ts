import type { Action, Plan } from '../../shared/model/plan.ts'
import { plain } from './style.ts'

const looks: Record<Action, string> = {
  create: 'fill:#dafbe1,stroke:#1a7f37,color:#1f2328',
  update: 'fill:#fff8c5,stroke:#9a6700,color:#1f2328',
  replace: 'fill:#fbefff,stroke:#8250df,color:#1f2328',
  delete: 'fill:#ffebe9,stroke:#cf222e,color:#1f2328',
  compile: 'fill:#ddf4ff,stroke:#0969da,color:#1f2328',
  run: 'fill:#ddf4ff,stroke:#0969da,color:#1f2328',
  gate: 'fill:#fff8c5,stroke:#9a6700,color:#1f2328,stroke-dasharray:4',
  approve: 'fill:#fff8c5,stroke:#9a6700,color:#1f2328,stroke-dasharray:4',
  barrier: 'fill:#f6f8fa,stroke:#8c959f,color:#59636e',
}

/**
 * The plan as a Mermaid flowchart: a subgraph per stage, an arrow per need. Barriers stay: the arrows go through them.
 */
export function mermaid(plan: Plan): string {
  const names = new Map(plan.remodels.map((remodel, index) => [remodel.id, `r${index}`]))
  const lines = ['flowchart LR']
  for (const [index, [stage, remodels]] of [...Map.groupBy(plan.remodels, (remodel) => remodel.stage)].entries()) {
    lines.push(`  subgraph s${index}["${label(stage)}"]`)
    for (const remodel of remodels) {
      const text = label(remodel.destructive ? `${remodel.title} (data is lost)` : remodel.title)
      const shape =
        remodel.action === 'barrier'
          ? `(["${text}"])`
          : remodel.action === 'approve' || remodel.action === 'gate'
            ? `{{"${text}"}}`
            : `["${text}"]`
      lines.push(`    ${names.get(remodel.id)}${shape}:::${remodel.action}`)
    }
    lines.push('  end')
  }
  for (const remodel of plan.remodels) {
    for (const need of remodel.needs) lines.push(`  ${names.get(need)} --> ${names.get(remodel.id)}`)
  }
  for (const action of new Set(plan.remodels.map((remodel) => remodel.action))) {
    lines.push(`  classDef ${action} ${looks[action]}`)
  }
  return lines.join('\n')
}

/** Quotes, brackets and the hash sign mean something to Mermaid; its own entities do not. */
function label(text: string): string {
  return plain(text).replace(/[#"<>&;]/g, (character) => `#${character.codePointAt(0)};`)
}
