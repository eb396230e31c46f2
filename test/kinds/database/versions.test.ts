import { test } from 'vitest'
import { inputs } from '../../../kinds/database/inputs.ts'
import { expectVersions } from '../drawn-versions.ts'
import { planOf } from './planned.ts'

test('plans of a database say the version of each input', async () => {
  expectVersions(await planOf({ net: 1, nodes: { n1: 'ab', n2: 'c' } }), inputs)
})
