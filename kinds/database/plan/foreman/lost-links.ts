import type { ActualMaterial } from '../../../../shared/model/material.ts'
import type { Fault } from '../../../../shared/runtime/errors.ts'
import { invalidInput } from '../../../../shared/source/document.ts'
import type { Strategy } from '../strategy.ts'
import { sizeText } from '../texts.ts'

/**
 * Links that a node read by, and whose slot is lost: a new one would begin with what is written from now on, and
 * the node would miss the rows in between for ever. Throws `invalid-input` with the way to them, unless they may
 * be missed, or a node needs another primary first: the step that would make the slot refuses it then. Answers
 * what the plan has to say.
 */
export function lostLinks(
  strategy: Strategy,
  materials: readonly ActualMaterial[],
  { loss, restored, urgent }: { loss: boolean; restored: ReadonlySet<string>; urgent: boolean },
): string[] {
  const names = strategy.nodes.map(({ node_name }) => node_name)
  const faults: Fault[] = []
  const notes: string[] = []
  for (const { attributes, meta } of materials) {
    if (typeof meta.lost !== 'string') continue
    const [provider, subscriber] = [String(attributes.provider_node), String(attributes.subscriber_node)]
    // A link of a node that goes, or that is restored, is made from nothing.
    const remade = [provider, subscriber].some((node) => !names.includes(node) || restored.has(node))
    if (remade) continue
    const much = typeof meta.missed === 'number' ? `: at most ${sizeText(meta.missed)} of its log` : ''
    const what = `what ${provider} wrote since its slot for ${subscriber} was lost (${meta.lost})${much}`
    if (loss) notes.push(`node ${subscriber} goes on without ${what}`)
    else {
      const message = `node ${subscriber} misses ${what}. Deploy without ${subscriber}, which drains it, then add it again with source_node ${provider}; or deploy with --accept-loss, and it goes on without that`
      if (urgent) notes.push(message)
      else faults.push({ path: `nodes[${names.indexOf(subscriber)}].name`, message })
    }
  }
  if (faults.length > 0) throw invalidInput(faults)
  return notes
}
