import { expect, test } from 'vitest'
import { allVerbs } from '../../../../cli/verbs/index.ts'
import { boshWords } from '../../../../kinds/deployment/cli/bosh.ts'
import { remodel } from '../../../cli/remodel.ts'

const verbs = await allVerbs()

test('verbs of BOSH are answered with ours, or that there is none', async () => {
  expect(boshWords.verb('vms')).toContain('remodel instances --ps')
  expect(boshWords.verb('run-errand')).toContain('does not have')
  for (const word of ['nonsense', 'toString', '__proto__']) expect(boshWords.verb(word)).toBeUndefined()
  expect(await remodel(['delete-deployment', '-n'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('remodel delete DEPLOYMENT'),
  })
  expect((await remodel(['ssh', '--help'])).stderr).toContain('remodel exec')
})

test('no verb of ours is taken for one of BOSH', () => {
  expect(verbs.filter(({ name }) => boshWords.verb(name) !== undefined).map(({ name }) => name)).toEqual([])
})

test('options of BOSH are answered with ours', async () => {
  for (const word of ['-d', '-dweb', '--ops-file=x.yml', '-v', '--vars-store'])
    expect(boshWords.option(word)).toContain('BOSH')
  expect(boshWords.option('--follow')).toBeUndefined()
  const ran = await remodel(['deploy', '-o', 'ops.yml', 'web.yml'])
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('there are no ops files')])
})
