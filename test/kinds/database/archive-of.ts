import { archiveObservation } from '../../../kinds/database/plan/archived.ts'
import type { Observation } from '../../../shared/model/observation.ts'

/**
 * What the inspector finds at 15 h of the archive of a node of `shop`: one backup, from which 10 h
 * to 14 h can be restored.
 */
export function archiveOf(node: string): Observation {
  const hour = (at: number) => Date.UTC(2026, 0, 1, at)
  const reach = { from: hour(10), until: hour(14), stop: '0/3000100', nextXid: '700' }
  const backup = { id: `${node}-1`, node, line: node, ...reach, dataBytes: 1, bytes: 1, logBytes: 1 }
  const primary = { line: node, now: hour(15), nextXid: null, end: null }
  return archiveObservation(
    { deployment: 'shop', node, ...primary, backups: [backup] },
    { at: hour(15), observer: 'planner-1' },
  )
}
