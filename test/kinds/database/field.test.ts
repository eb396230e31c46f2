import { describe, expect, test } from 'vitest'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { needCases } from '../../support/cases.ts'
import { builtBy } from './built.ts'

/** Documents of the field that are deployed one after the other; what the second is refused with, and where. */
const refused: [first: string, second: string, path: string, message: string][] = [
  ['B18/name-1.yml', 'B18/name-2.yml', 'database_name', 'this deployment is database shop_a'],
  ['D05-port-hangs/1-before.yml', 'D05-port-hangs/2-port.yml', 'nodes[0].port', 'node n1 stands at port 5432'],
]

/** The plan for a document upon what another one has built. */
async function planBehind(before: string, after: string) {
  const plan = (content: string, floorplan: unknown) =>
    planOffline({ files: [{ name: 'shop.yml', content }], releases: [], options: {}, floorplan })
  const { deployment, ...stood } = await plan(before, {})
  return plan(after, { deployment, version: 1, materials: builtBy({ deployment, ...stood }) })
}

describe('a document of the field', () => {
  test('D02 that has a node under another name renames it, and what is planned makes and takes away nothing', async () => {
    const version = (file: string) => needCases(`field/D02-rename-node-destroys/${file}`)
    const { remodels } = await planBehind(version('1-two-nodes.yml'), version('2-renamed.yml'))
    expect(remodels.map(({ step }) => step)).toEqual(['rename-node', 'share-sequences'])
  })

  test.each(refused)('%s, then %s is refused at its line', async (first, second, path, message) => {
    const [before, after] = [needCases(`field/${first}`), needCases(`field/${second}`)]
    const outcome = await planBehind(before, after).catch((error) => error)
    expect(outcome).toBeInstanceOf(RemodelError)
    expect(outcome.faults).toMatchObject([
      { path, line: expect.any(Number), message: expect.stringContaining(message) },
    ])
  })
})
