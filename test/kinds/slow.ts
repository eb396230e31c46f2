import { z } from 'zod'
import { diffMaterials } from '../../kinds/contract/diff.ts'
import { defineKind } from '../../kinds/contract/kind.ts'
import { defineStep } from '../../kinds/contract/step.ts'
import { pause } from '../../shared/runtime/timer.ts'

/** A kind of things that take their time, for tests of stalls: an extension (REMODEL_EXTENSIONS). */
export const name = 'slow'

const Document = z.strictObject({
  kind: z.literal('slow'),
  name: z.string(),
  things: z.array(z.string()),
  seconds: z.number(),
})

export const kind = defineKind({
  name,
  strategy: z.object({ seconds: z.number() }),
  recognises: ({ value }) => value !== null && typeof value === 'object' && Reflect.get(value, 'kind') === name,
  deploymentName: (document) => document.parse(Document).name,
  nothing: (deployment) => ({ deployment, kind: name, materials: [], strategy: { seconds: 0 } }),
  architect(document) {
    const { name: deployment, things, seconds } = document.parse(Document)
    const materials = things.map((thing) => ({ id: `thing/${thing}`, attributes: {}, needs: [] }))
    return { deployment, kind: name, materials, strategy: { seconds } }
  },
  inspector: async (_blueprint, { recorded }) => ({ materials: recorded.materials, observations: [] }),
  async foreman(blueprint, floorplan) {
    const remodels = diffMaterials(blueprint.materials, floorplan.materials).map(({ id, changes }) => ({
      id: `make ${id}`,
      step: 'make',
      action: 'create' as const,
      material: id,
      title: `make ${id}`,
      stage: 'Making things',
      reasons: [{ code: 'new' }],
      changes,
      input: blueprint.strategy,
    }))
    return { remodels, windows: [], permits: [], notes: [] }
  },
})

export const steps = {
  make: defineStep({
    input: z.object({ seconds: z.number() }),
    look: async () => null,
    apply: ({ signal }, { seconds }) => pause(seconds * 1000, signal),
    verify: async ({ material }) => ({ floorplan: { [material]: { attributes: {}, needs: [], meta: {} } } }),
  }),
}
