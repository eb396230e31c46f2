import { archiveObservation } from '../../kinds/database/plan/archived.ts'
import type { ActualMaterial, Attributes } from '../../shared/model/material.ts'
import type { Observation } from '../../shared/model/observation.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { builtBy } from '../kinds/database/built.ts'
import type { Wish } from '../kinds/database/document.ts'
import { planOf } from '../kinds/database/planned.ts'

const two: Wish = { net: 80, nodes: { n1: 'ab', n2: 'c' } }
const primary: Attributes = { health: 'running', role: 'primary', received: 900, timeline: 1, started: '7.5' }
const replica: Attributes = { ...primary, role: 'replica', lag_bytes: 0, slots: ['remodel_n1_n2'], started: '8.5' }

/** The two nodes as the inspector finds them; `found` is what it finds otherwise. */
async function actual(found: Record<string, Attributes> = {}, wish: Wish = two): Promise<ActualMaterial[]> {
  const seen: Record<string, Attributes> = {
    'instance/n1-a': primary,
    'instance/n1-b': replica,
    'instance/n2-c': primary,
    ...found,
  }
  return builtBy(await planOf(wish)).map((one) => ({ ...one, meta: { ...one.meta, ...seen[one.id] } }))
}

const archived: Wish = { ...two, keep: 3 }

/** Each node has a backup of two o'clock, and writes on at six. */
function archives(): Observation[] {
  const [from, now] = [Date.UTC(2026, 0, 1, 2), Date.UTC(2026, 0, 1, 6)]
  return Object.keys(archived.nodes).map((node) => {
    const backup = { id: `${node}-1`, node, line: node, from, until: now, stop: '0/3000100', nextXid: '700' }
    const sizes = { dataBytes: 1, bytes: 1, logBytes: 1 }
    const seen = { deployment: 'shop', node, line: node, now, nextXid: '900', end: '0/9000000' }
    const drops = { rows: 12, transactions: 3, more: false }
    return archiveObservation(
      { ...seen, drops, backups: [{ ...backup, ...sizes }] },
      { at: now, observer: 'planner-1' },
    )
  })
}

const down: Attributes = { health: 'down', machine: 'answers' }

/** Name of the file -> the plan in it. */
export const databaseScenarios: Record<string, () => Promise<Plan>> = {
  'first-deploy': () => planOf(two),
  'nothing-changed': async () => planOf(two, await actual()),
  'setting-that-restarts': async () => planOf({ ...two, settings: { max_connections: 70 } }, await actual()),
  'setting-that-reloads': async () => planOf({ ...two, settings: { work_mem: '8MB' } }, await actual()),
  'node-added': async () => planOf({ ...two, nodes: { ...two.nodes, n3: 'd' }, source: { n3: 'n1' } }, await actual()),
  'node-removed': async () => planOf({ ...two, nodes: { n1: 'ab' } }, await actual()),
  'replica-added': async () => planOf({ ...two, nodes: { n1: 'ab', n2: 'cd' } }, await actual()),
  'replica-removed': async () => planOf({ ...two, nodes: { n1: 'a', n2: 'c' } }, await actual()),
  'switched-over': async () => planOf({ ...two, primary: { n1: 'b' } }, await actual()),
  'primary-lost': async () =>
    planOf(two, await actual({ 'instance/n1-a': down, 'host/a': { health: 'missing', disk: 'gone' } })),
  'no-primary': async () => planOf(two, await actual({ 'instance/n1-a': { ...replica, slots: [] } })),
  restored: async () => {
    const restore = { all: { restore_options: { type: 'time', target: '2026-01-01T04:30:00Z' } } }
    return planOf({ ...archived, restore }, await actual({}, archived), archives())
  },
  'extension-added': async () => planOf({ ...two, extensions: ['pg_trgm'] }, await actual()),
}
