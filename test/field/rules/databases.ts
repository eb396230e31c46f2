import assert from 'node:assert/strict'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { builtBy } from '../../kinds/database/built.ts'
import type { FieldCase } from '../field-case.ts'

/** What is refused of documents of databases before any machine is touched. */

/** Names that PostgreSQL, or Remodel, keeps for itself; two names that come to one deployment. */
export async function reservedNames(given: FieldCase): Promise<void> {
  for (const file of await given.files(/^(?!name-).*\.yml$/)) {
    await given.check(`${file} is refused at its line`, () => refused(given, file, {}))
  }
  await oneAfterAnother(given, /^name-.*\.yml$/)
}

/** The folder's first document stands; each that follows is refused at its line. */
export async function oneAfterAnother(given: FieldCase, pattern = /\.yml$/): Promise<void> {
  const [first, ...others] = await given.files(pattern)
  if (first === undefined) return
  const plan = await drawn(given, first, {})
  const floorplan = { deployment: plan.deployment, version: 1, materials: builtBy(plan) }
  for (const file of others) {
    await given.check(`${file} after ${first} is refused at its line`, () => refused(given, file, floorplan))
  }
}

/** The folder's second document has a node of the first one under another name: it keeps its data. */
export async function renamed(given: FieldCase): Promise<void> {
  const [first, second] = await given.files(/\.yml$/)
  if (first === undefined || second === undefined) return
  await given.check(`${second} after ${first} renames the node, and takes nothing away`, async () => {
    const plan = await drawn(given, first, {})
    const floorplan = { deployment: plan.deployment, version: 1, materials: builtBy(plan) }
    const { remodels } = await drawn(given, second, floorplan)
    assert.ok(remodels.some(({ step }) => step === 'rename-node'))
    const others = remodels.filter(({ action, destructive }) => destructive || ['create', 'delete'].includes(action))
    assert.deepEqual(others, [])
  })
}

async function drawn(given: FieldCase, name: string, floorplan: unknown): Promise<Plan> {
  return planOffline({ files: [{ name, content: await given.text(name) }], releases: [], options: {}, floorplan })
}

async function refused(given: FieldCase, name: string, floorplan: unknown): Promise<void> {
  const error = await drawn(given, name, floorplan).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof RemodelError, error === undefined ? 'it is planned' : String(error))
  assert.ok(
    error.faults.length > 0 && error.faults.every(({ line }) => line !== undefined),
    `no place: ${error.message}`,
  )
}
