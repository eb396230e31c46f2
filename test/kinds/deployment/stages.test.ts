import { describe, expect, test } from 'vitest'
import { architect } from '../../../kinds/deployment/plan/architect.ts'
import { readFloorplan } from '../../../kinds/deployment/plan/foreman/actual.ts'
import { address } from '../../../kinds/deployment/plan/foreman/address.ts'
import { build } from '../../../kinds/deployment/plan/foreman/build.ts'
import { CloudIds } from '../../../kinds/deployment/plan/foreman/cloud-ids.ts'
import type { PlanContext } from '../../../kinds/deployment/plan/foreman/context.ts'
import { decide } from '../../../kinds/deployment/plan/foreman/decide.ts'
import { match } from '../../../kinds/deployment/plan/foreman/match.ts'
import { renderJobs } from '../../../kinds/deployment/plan/foreman/rendering.ts'
import { readBlueprint } from '../../../kinds/deployment/plan/foreman/wanted.ts'
import { foremanWith } from '../../../kinds/deployment/plan/foreman.ts'
import { emptyFloorplan, type Floorplan, materialType } from '../../../shared/model/material.ts'
import { ReservedNames } from '../../../shared/model/reservation.ts'
import { execute } from './execution.ts'
import { document, options, plan, render } from './planning.ts'
import { given, manifestText } from './shop.ts'

const nothing = emptyFloorplan('shop')
const deployed = async (): Promise<Floorplan> => execute(await plan(manifestText, given()), nothing, () => 0).floorplan

/** All that can be reached from a value, frozen; the functions and the state of classes are left as they are. */
function frozen<Value>(value: Value): Value {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value
  if (value instanceof Map) for (const inner of [...value.keys(), ...value.values()]) frozen(inner)
  else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    Object.freeze(value)
    for (const inner of Object.values(value)) frozen(inner)
  }
  return value
}

describe('the stages of the foreman', () => {
  test.each([
    ['of a first deploy', manifestText, async () => nothing, {}],
    ['of machines that are made anew', manifestText, deployed, { recreate: true }],
    [
      'of a changed property and fewer instances',
      manifestText.replace('8080', '9090').replace(': 3', ': 2'),
      deployed,
      {},
    ],
  ] as const)(
    '%s change nothing of what they are given, and make the plan of the foreman',
    async (_, manifest, stands, asked) => {
      const floorplan = frozen(await stands())
      const blueprint = frozen(architect(document('shop.yml', manifest), given()))
      const wanted = frozen(readBlueprint(blueprint))
      const context: PlanContext = frozen({
        wanted,
        actual: readFloorplan(floorplan, new Map()),
        options: { ...options, ...asked },
        cids: new CloudIds(wanted, floorplan.version),
        reserved: new ReservedNames(),
        durations: new Map(),
      })
      const matching = frozen(match(context))
      const addressing = frozen(address(context, matching))
      const { rendered } = frozen(await renderJobs(context, addressing.addressed, render))
      const instances = frozen(rendered.map((one) => decide(one, context.cids)))
      const { obsolete, left } = matching
      const { spares } = addressing
      const draft = build(context, frozen({ instances, obsolete, left, spares, renamings: [], notes: [] }))
      const { remodels } = await foremanWith(render)(blueprint, floorplan, { ...options, ...asked })
      expect(draft.remodels).toEqual(remodels)
      expect(remodels.length).toBeGreaterThan(3)
    },
  )
})

describe('the materials of a blueprint', () => {
  test('say of disks, instances and packages what the floorplan says once they are deployed', async () => {
    const actual = new Map((await deployed()).materials.map((material) => [material.id, material.attributes]))
    const { materials } = architect(document('shop.yml', manifestText), given())
    expect(materials.map(({ id }) => materialType(id))).toEqual(expect.arrayContaining(['package', 'disk', 'instance']))
    for (const { id, attributes } of materials) {
      // The package of the tests' own execution says no more than its key and name.
      const { key, name } = attributes
      expect(actual.get(id), id).toMatchObject(materialType(id) === 'package' ? { key, name } : attributes)
    }
  })

  test.each([
    ['instance/web/0', { state: 'stopped' as const }, { code: 'state-changed', before: 'started', after: 'stopped' }],
    ['disk/db/0', { sizeMiB: 2048 }, { code: 'disk-size-changed', beforeMiB: 1024, afterMiB: 2048 }],
  ])('are what is compared with the floorplan: another %s makes another plan', async (changed, attributes, reason) => {
    const floorplan = await deployed()
    const blueprint = architect(document('shop.yml', manifestText), given())
    const draw = (materials: typeof blueprint.materials) =>
      foremanWith(render)({ ...blueprint, materials }, floorplan, options)
    expect((await draw(blueprint.materials)).remodels).toEqual([])
    const other = blueprint.materials.map((material) =>
      material.id === changed ? { ...material, attributes: { ...material.attributes, ...attributes } } : material,
    )
    const { remodels } = await draw(other)
    expect(remodels.flatMap(({ reasons }) => reasons)).toContainEqual(reason)
  })
})
