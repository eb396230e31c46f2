import { type ActualMaterial, type Attributes, materialType } from '../../../shared/model/material.ts'
import type { Remodel } from '../../../shared/model/plan.ts'
import { inputs, restoredMaterial, type StepName } from '../inputs.ts'
import { renamedMaterial } from '../renaming.ts'

/** A step that ended well takes them off: `server/record.ts`. */
const marks = { needs_recreate: false, pending_deletion: false, error: '' }

type Done = Pick<Remodel, 'step' | 'queue' | 'material' | 'input'>

/** What a finished step changes in the floorplan. */
export function effect(actual: Map<string, ActualMaterial>, remodel: Done): void {
  const { step, queue, material, input } = remodel
  if (queue === null) return
  const given = inputs[step as StepName].parse(input)
  if (step === 'rename-node') rename(actual, inputs[step].parse(input))
  // Backups are recorded in the archive, not in the floorplan.
  if (!('resource' in given)) return
  const { event, resource } = given
  if (event === 'delete') {
    actual.delete(material)
    return
  }
  const { attributes, ...rest } = resource
  const health = /^(host|instance)\//.test(material) ? { health: 'running' } : {}
  actual.set(material, {
    id: material,
    attributes: { ...attributes, ...primaryOf(actual, remodel, attributes) },
    needs: [],
    meta: { resource: { ...rest, ...marks } as never, ...health },
  })
  if (step === 'set-up-instance') markRestored(actual, inputs[step].parse(input))
}

/** Which of a node's servers takes writes: the heir of a handover, else the one that did, else the first. */
function primaryOf(
  actual: ReadonlyMap<string, ActualMaterial>,
  { step, material, input }: Done,
  attributes: Attributes,
): Attributes {
  if (materialType(material) !== 'node') return {}
  if (step === 'switch-over' || step === 'fail-over' || step === 'promote-node')
    return { primary_instance_id: inputs[step].parse(input).to }
  const servers = attributes.instance_ids as string[]
  const before = String(actual.get(material)?.attributes.primary_instance_id ?? '')
  return { primary_instance_id: servers.includes(before) ? before : servers[0]! }
}

function markRestored(
  actual: Map<string, ActualMaterial>,
  { role, restore, instance, member }: ReturnType<(typeof inputs)['set-up-instance']['parse']>,
): void {
  if (role !== 'restore' || restore === null) return
  const id = restoredMaterial(instance.node)
  actual.set(id, { id, attributes: { key: restore.key, primary: member.instance }, needs: [], meta: {} })
}

function rename(
  actual: Map<string, ActualMaterial>,
  renaming: ReturnType<(typeof inputs)['rename-node']['parse']>,
): void {
  for (const id of renaming.materials) {
    const one = actual.get(id)
    if (one === undefined) continue
    actual.delete(id)
    const renamed = renamedMaterial(one, renaming)
    actual.set(renamed.id, renamed)
  }
}
