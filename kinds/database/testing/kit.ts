import { z } from 'zod'
import { type ActualMaterial, type Attributes, materialName, materialType } from '../../../shared/model/material.ts'
import type { Done, Kit } from '../../testing/kit.ts'
import { InstanceAttributes, inputs } from '../inputs.ts'
import { archivesIn } from '../plan/archived.ts'
import { linkName } from '../postgres/names.ts'
import { archivesAsPretended, archiveTold, isServer } from './archives.ts'
import { effect } from './effect.ts'

const Host = z.strictObject({
  health: z.enum(['running', 'missing', 'silent']),
  /** What a machine that is gone leaves behind. */
  disk: z.enum(['there', 'gone']).default('there'),
})

const Instance = z
  .strictObject({
    health: z.enum(['running', 'down']),
    role: z.enum(['primary', 'replica']),
    /** Its disk has no room. */
    full: z.boolean(),
    /** What is wrong with it, as one phrase. */
    error: z.string(),
    /** How far a replica is behind; null: it follows no server. */
    lag_bytes: z.int().nonnegative().nullable(),
    /** How far it has come in the log. */
    received: z.int().nonnegative(),
    timeline: z.int().positive(),
  })
  .partial()

export const kit: Kit = {
  effect,
  findings: { host: Host, instance: Instance },
  inspect({ deployment, materials }, pretended) {
    const { findings } = pretended
    const closed = closedServers(pretended.done)
    const found = materials.map((material) => {
      const type = materialType(material.id)
      if (type === 'host') return hostAsFound(material, findings.get(material.id))
      if (type !== 'instance') return material
      const instance = instanceAsFound(material, materials, findings)
      return closed.has(material.id) ? { ...instance, meta: { ...instance.meta, closed: 'added' } } : instance
    })
    return { materials: found, observations: archivesAsPretended(deployment, found.filter(isServer), pretended) }
  },
  tell: (observations) => archivesIn(observations).map(archiveTold),
}

function hostAsFound(material: ActualMaterial, finding: Attributes | undefined): ActualMaterial {
  const { health, disk } = Host.parse(finding ?? { health: 'running' })
  const marks = health === 'silent' ? { error: 'its machine does not answer' } : {}
  return marked(material, { health, disk }, health === 'running' ? {} : { needs_recreate: true, ...marks })
}

/** A server runs as its node's record has it, unless its machine or the finding says otherwise. */
function instanceAsFound(
  material: ActualMaterial,
  materials: readonly ActualMaterial[],
  findings: ReadonlyMap<string, Attributes>,
): ActualMaterial {
  const { node, host_id } = InstanceAttributes.parse(material.attributes)
  const said = Instance.parse(findings.get(material.id) ?? {})
  const host = Host.parse(findings.get(`host/${host_id}`) ?? { health: 'running' })
  if (said.health === 'down' || said.full === true || host.health !== 'running') {
    const machine = host.health === 'silent' ? 'silent' : 'answers'
    const known = { machine, demoted: said.role === 'replica', data: true, full: said.full === true }
    return marked(material, { health: 'down', ...(host.health === 'missing' ? {} : known) }, { needs_recreate: true })
  }
  const primary = materials.find(({ id }) => id === `node/${node}`)?.attributes.primary_instance_id
  const role = said.role ?? (materialName(material.id) === primary ? 'primary' : 'replica')
  const lag = said.lag_bytes === undefined ? 0 : said.lag_bytes
  const error = said.error ?? (role === 'replica' && lag === null ? 'it follows no server' : '')
  const place = { received: said.received ?? 1000, timeline: said.timeline ?? 1, started: '1' }
  const replica = { lag_bytes: lag, slots: slotsOf(node, materials) }
  const meta = { health: 'running', role, ...place, ...(role === 'replica' ? replica : {}) }
  return marked(material, meta, error === '' ? {} : { error })
}

/** Servers of nodes that were added and let no client in yet. */
function closedServers(done: readonly Done[]): ReadonlySet<string> {
  const closed = new Map<string, string>()
  for (const { step, material, input } of done.map(({ remodel }) => remodel)) {
    if (step === 'set-up-instance') {
      const { closed: isClosed, instance } = inputs[step].parse(input)
      if (isClosed) closed.set(material, instance.node)
    }
    if (step !== 'open-node') continue
    const { node } = inputs[step].parse(input)
    for (const [id, own] of closed) if (own === node) closed.delete(id)
  }
  return new Set(closed.keys())
}

/** What other nodes read from this one; its replicas keep copies. */
function slotsOf(node: string, materials: readonly ActualMaterial[]): string[] {
  return materials.flatMap(({ id, attributes }) =>
    materialType(id) === 'replication_slot' && attributes.provider_node === node
      ? [linkName(node, String(attributes.subscriber_node))]
      : [],
  )
}

function marked(material: ActualMaterial, meta: Attributes, marks: Attributes): ActualMaterial {
  const resource = { ...(material.meta.resource as Attributes), ...marks }
  return { ...material, meta: { ...material.meta, ...meta, resource } }
}
