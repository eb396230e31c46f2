import { describe, expect, test } from 'vitest'
import { planOffline } from '../../../services/planner/planning/offline.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import { readCases } from '../../support/cases.ts'
import { builtBy } from './built.ts'

/** Documents of the field that are deployed one after the other; what the second is refused with, and where. */
const refused: [first: string, second: string, path: string, message: string][] = [
  ['B18/name-1.yml', 'B18/name-2.yml', 'database_name', 'this deployment is database shop_a'],
  [
    'D02-rename-node-destroys/1-two-nodes.yml',
    'D02-rename-node-destroys/2-renamed.yml',
    'nodes[1].host_ids[0]',
    'the data of node n2',
  ],
  ['D05-port-hangs/1-before.yml', 'D05-port-hangs/2-port.yml', 'nodes[0].port', 'node n1 stands at port 5432'],
]

describe('a document of the field', () => {
  test.each(refused)('%s, then %s is refused at its line', async (first, second, path, message) => {
    const [before, after] = [readCases(`field/${first}`), readCases(`field/${second}`)]
    if (before === null || after === null) return
    const plan = (content: string, floorplan: unknown) =>
      planOffline({ files: [{ name: second, content }], releases: [], options: {}, floorplan })
    const { deployment, ...stood } = await plan(before, {})
    const floorplan = { deployment, version: 1, materials: builtBy({ deployment, ...stood }) }
    const outcome = await plan(after, floorplan).catch((error) => error)
    expect(outcome).toBeInstanceOf(RemodelError)
    expect(outcome.faults).toMatchObject([
      { path, line: expect.any(Number), message: expect.stringContaining(message) },
    ])
  })
})
