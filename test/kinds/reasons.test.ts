import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { definePhrases } from '../../kinds/contract/reason.ts'
import { phrases as ofDatabases } from '../../kinds/database/reasons.ts'
import { phrases as ofDeployments } from '../../kinds/deployment/reasons.ts'
import { Remodel } from '../../shared/model/plan.ts'
import { codeOfReason, phraseOf, StoredReason } from '../../shared/model/reason.ts'
import { databaseScenarios } from '../golden/database.ts'
import { deploymentScenarios } from '../golden/deployment.ts'

describe('a reason', () => {
  test('is said by its kind, with its parameters', () => {
    expect(phraseOf({ code: 'az-changed', before: null, after: 'z1' }, ofDeployments)).toBe('az changed none -> z1')
    expect(phraseOf({ code: 'server-silent', server: 'n1-a' }, ofDatabases)).toBe('n1-a is silent: it is started first')
  })

  test('of a kind that the reader does not know is the words of its code, and what else is known', () => {
    expect(phraseOf({ code: 'file-is-new' })).toBe('file is new')
    expect(phraseOf({ code: 'lag-grew', bytes: 3, of: 'n1' }, ofDeployments)).toBe('lag grew (bytes 3, of n1)')
  })

  test('of a plan that an earlier version stored is a phrase: it is said as it is, and has no code', () => {
    const stored = StoredReason.parse('stemcell changed 1.2 -> 1.3')
    expect(phraseOf(stored, ofDeployments)).toBe('stemcell changed 1.2 -> 1.3')
    expect(codeOfReason(stored)).toBeNull()
    expect(z.array(StoredReason).safeParse([{ code: 'no code' }]).success).toBe(false)
    expect(Remodel.shape.reasons.parse([stored, { code: 'node-added' }])).toEqual([stored, { code: 'node-added' }])
  })

  test('whose code is a name that every object has is no phrase of its kind', () => {
    expect(definePhrases<{ code: 'known' }>({ known: () => 'known' })({ code: 'constructor' })).toBeUndefined()
  })
})

const scenarios = [
  ...Object.entries(deploymentScenarios).map(([name, draw]) => ['deployment', name, draw, ofDeployments] as const),
  ...Object.entries(databaseScenarios).map(([name, draw]) => ['database', name, draw, ofDatabases] as const),
]

test.each(scenarios)('every reason of the plan of a %s "%s" is one that its kind says', async (_, __, draw, say) => {
  const reasons = (await draw()).remodels.flatMap((remodel) => remodel.reasons)
  const unsaid = reasons.filter((reason) => typeof reason === 'string' || say(reason) === undefined)
  expect(unsaid).toEqual([])
})
