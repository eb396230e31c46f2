import { isFinal } from '../../../cli/sdk.ts'
import type { Database } from './databases.ts'

/** Something that is now otherwise than it was; null: it is not there. */
export interface Changed {
  subject: string
  before: string | null
  after: string | null
}

/**
 * What there is to say of a database, each subject in one phrase that stays the same while nothing changes: no amounts
 * and no times, which change at every look.
 */
export function saidOf(one: Database): Map<string, string> {
  const { lastPlan, progress } = one
  const said = new Map<string, string>([[one.name, one.state]])
  if (lastPlan && lastPlan.state !== 'stored') {
    const where = progress && !isFinal(lastPlan.state) ? `, ${progress.plan} of ${progress.of}: ${progress.name}` : ''
    said.set(`plan ${lastPlan.id}`, `${lastPlan.state}${where}`)
  }
  for (const { node, primary, archive, instances } of one.nodes) {
    said.set(node, primary === null ? 'takes no writes' : `takes writes on ${primary}`)
    if (archive?.late) said.set(`archive of ${node}`, 'is late')
    for (const { instance, state, database } of instances) {
      said.set(instance, database.role === null ? state : `${database.role}, ${state}`)
      for (const peer of database.peers)
        said.set(`${node} to ${peer.node}`, peer.connected ? 'connected' : 'not connected')
    }
  }
  return said
}

/** In the order of what is said now; what is said no more comes last. */
export function changesOf(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Changed[] {
  const changed = [...after].filter(([subject, what]) => before.get(subject) !== what)
  const gone = [...before].filter(([subject]) => !after.has(subject))
  return [
    ...changed.map(([subject, what]) => ({ subject, before: before.get(subject) ?? null, after: what })),
    ...gone.map(([subject, what]) => ({ subject, before: what, after: null })),
  ]
}
