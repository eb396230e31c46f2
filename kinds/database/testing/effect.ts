import { type Attributes, materialType, type StandingMaterial } from '../../../shared/model/material.ts'
import type { Remodel } from '../../../shared/model/plan.ts'
import { inputs, restoredMaterial, type StepName } from '../inputs.ts'
import { renamedMaterial } from '../renaming.ts'

/** A step that ended well takes them off: `server/record.ts`. */
const marks = { needs_recreate: false, pending_deletion: false, error: '' }

type Done = Pick<Remodel, 'step' | 'queue' | 'material' | 'input'>

/** What a finished step changes in the floorplan. */
export function effect(standing: Map<string, StandingMaterial>, remodel: Done): void {
  const { step, queue, material, input } = remodel
  if (queue === null) return
  const given = inputs[step as StepName].parse(input)
  if (step === 'rename-node') rename(standing, inputs[step].parse(input))
  // Backups are recorded in the archive, not in the floorplan.
  if (!('resource' in given)) return
  const { event, resource } = given
  if (event === 'delete') {
    standing.delete(material)
    return
  }
  const { attributes, ...rest } = resource
  const health = /^(host|instance)\//.test(material) ? { health: 'running' } : {}
  standing.set(material, {
    id: material,
    attributes: { ...attributes, ...primaryOf(standing, remodel, attributes) },
    needs: [],
    meta: { resource: { ...rest, ...marks } as never, ...health },
  })
  if (step === 'set-up-instance') markRestored(standing, inputs[step].parse(input))
}

/** Which of a node's servers takes writes: the heir of a handover, else the one that did, else the first. */
function primaryOf(
  standing: ReadonlyMap<string, StandingMaterial>,
  { step, material, input }: Done,
  attributes: Attributes,
): Attributes {
  if (materialType(material) !== 'node') return {}
  if (step === 'switch-over' || step === 'fail-over' || step === 'promote-node')
    return { primary_instance_id: inputs[step].parse(input).to }
  const servers = attributes.instance_ids as string[]
  const before = String(standing.get(material)?.attributes.primary_instance_id ?? '')
  return { primary_instance_id: servers.includes(before) ? before : servers[0]! }
}

function markRestored(
  standing: Map<string, StandingMaterial>,
  { role, restore, instance, member }: ReturnType<(typeof inputs)['set-up-instance']['parse']>,
): void {
  if (role !== 'restore' || restore === null) return
  const id = restoredMaterial(instance.node)
  standing.set(id, { id, attributes: { key: restore.key, primary: member.instance }, needs: [], meta: {} })
}

function rename(
  standing: Map<string, StandingMaterial>,
  renaming: ReturnType<(typeof inputs)['rename-node']['parse']>,
): void {
  for (const id of renaming.materials) {
    const one = standing.get(id)
    if (one === undefined) continue
    standing.delete(id)
    const renamed = renamedMaterial(one, renaming)
    standing.set(renamed.id, renamed)
  }
}
