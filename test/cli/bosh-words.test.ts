import { expect, test } from 'vitest'
import { boshOption, boshVerb } from '../../cli/bosh.ts'
import { allVerbs } from '../../cli/verbs/index.ts'
import { remodel } from './remodel.ts'

const verbs = await allVerbs()

test('verbs of BOSH are answered with ours, or that there is none', async () => {
  expect(boshVerb('vms')).toContain('remodel instances --ps')
  expect(boshVerb('run-errand')).toContain('does not have')
  for (const word of ['nonsense', 'toString', '__proto__']) expect(boshVerb(word)).toBeUndefined()
  expect(await remodel(['delete-deployment', '-n'])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('remodel delete DEPLOYMENT'),
  })
  expect((await remodel(['ssh', '--help'])).stderr).toContain('remodel exec')
})

test('no verb of ours is taken for one of BOSH', () => {
  expect(verbs.filter(({ name }) => boshVerb(name) !== undefined).map(({ name }) => name)).toEqual([])
})

test('options of BOSH are answered with ours', async () => {
  for (const word of ['-d', '-dweb', '--ops-file=x.yml', '-v', '--vars-store'])
    expect(boshOption(word)).toContain('BOSH')
  expect(boshOption('--follow')).toBeUndefined()
  const ran = await remodel(['deploy', '-o', 'ops.yml', 'web.yml'])
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('there are no ops files')])
})

test.each([[['help', 'deplyo']], [['deplyo', '--help']], [['deplyo']]])(
  '%j is a wrong use, and the nearest verb is named',
  async (args) => {
    const ran = await remodel(args)
    expect([ran.code, ran.stdout]).toEqual([2, ''])
    expect(ran.stderr).toMatch(/deplyo.*deploy/)
  },
)

test('a file that is not there is said before -y is asked for', async () => {
  const ran = await remodel(['deploy', 'nothere.yml'])
  expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('there is no such file')])
  expect(ran.stderr).not.toContain('add -y')
})

test('help, and help of a verb, succeed', async () => {
  for (const args of [[], ['help'], ['--help'], ['help', 'deploy'], ['deploy', '--help']]) {
    const ran = await remodel(args)
    expect([args, ran.code, ran.stderr]).toEqual([args, 0, ''])
    expect(ran.stdout).toContain('Usage: remodel')
  }
})
