import './hook.ts'
import { beforeAll, describe, expect, test } from 'vitest'
import type { KindRegistry } from '../../kinds/registry.ts'
import { openKinds } from '../support/kinds.ts'
import { raceForAddresses } from './addresses.ts'
import { LuaMachine } from './redis/lua.ts'

const parts = 10
const [seedsOfPart, rounds] = [5, 20]

let lua: LuaMachine
let kinds: KindRegistry

beforeAll(async () => {
  lua = await LuaMachine.create()
  kinds = await openKinds()
})

describe('two deployments in one network, simulated', () => {
  test.for(Array.from({ length: parts }, (_, i) => i))(
    `that are planned at once get different addresses, ${parts * seedsOfPart * rounds} times, whatever befalls their planners: part %i`,
    async (part) => {
      const first = 1 + Math.floor(Math.random() * 2 ** 30)
      for (let seed = first; seed < first + seedsOfPart; seed++) {
        const outcome = await raceForAddresses({ seed, rounds }, lua, kinds)
        expect(outcome, `part ${part}, seed ${seed}`).toMatchObject({ rounds, twice: [] })
      }
    },
  )

  test('get one address where a plan is opened without its names: the control run', async () => {
    const outcome = await raceForAddresses({ seed: 1, rounds, unheld: true }, lua, kinds)
    expect(outcome.twice).not.toEqual([])
    expect(outcome.refused).toBeGreaterThan(0)
  })

  test('are struck while they are planned, and refused what the other one has taken', async () => {
    const outcome = await raceForAddresses({ seed: 1, rounds }, lua, kinds)
    expect(outcome.struck).toBeGreaterThan(0)
    expect(outcome.refused).toBeGreaterThan(0)
  })

  test('run the same way twice', async () => {
    const once = await raceForAddresses({ seed: 7, rounds }, lua, kinds)
    expect(await raceForAddresses({ seed: 7, rounds }, lua, kinds)).toEqual(once)
  })
})
