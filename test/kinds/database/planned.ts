import { kind } from '../../../kinds/database/kind.ts'
import { sealPlan } from '../../../services/planner/planning/seal.ts'
import type { ActualMaterial } from '../../../shared/model/material.ts'
import type { Observation } from '../../../shared/model/observation.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { SourceDocument } from '../../../shared/source/document.ts'
import { documentOf, type Wish } from './document.ts'

const catalog = { releases: [], created: {}, stemcells: [], configs: { cloud: [], runtime: [] } }
const options = { recreate: false, remove: false, skipDrain: false }

/** The plan for a document, or for wishes, upon a floorplan and observations. */
export async function planOf(
  wish: Wish | string,
  materials: ActualMaterial[] = [],
  observations: readonly Observation[] = [],
): Promise<Plan> {
  const document = new SourceDocument('shop.yml', typeof wish === 'string' ? wish : documentOf(wish))
  const blueprint = kind.architect(document, catalog)
  const floorplan = { deployment: blueprint.deployment, version: 1, materials }
  return sealPlan(await kind.foreman(blueprint, floorplan, options, { observations }), blueprint, floorplan)
}
