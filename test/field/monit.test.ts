import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServices, type TestStack } from '../support/services.ts'
import { FieldPlans, faultsOf, fieldCase } from './case.ts'
import { FieldDeploys } from './deploying.ts'

const pair = fieldCase('B04')
const kinds = fieldCase('B04-monit')
const typo = fieldCase('N03-monit-typo')

describe.skipIf(!pair || !kinds || !typo)(
  'a monit file that cannot be carried out is refused where it is planned',
  () => {
    const opened: FieldPlans[] = []
    const faults = async (folder: string) => {
      const plans = await FieldPlans.open(folder)
      opened.push(plans)
      return faultsOf(plans.release('release').then((release) => plans.plan('manifest.yml', { releases: [release] })))
    }
    afterAll(() => Promise.all(opened.map((plans) => plans.close())))

    test('two jobs of a machine have a process of one name: both places are said', async () => {
      expect(await faults(pair!)).toEqual([
        'manifest.yml:15: process "worker" of job right is there already, in job left (manifest.yml:14): a machine has one of each name',
      ])
    })

    test('a word that monit does not know', async () => {
      expect(await faults(typo!)).toEqual([
        expect.stringMatching(/^manifest\.yml:14: template a\/monit line 1: "check proces" is no statement of monit/),
      ])
    })

    test('a process that is found by its pattern only', async () => {
      expect(await faults(kinds!)).toEqual([
        expect.stringContaining('template match/monit line 1: process match would not'),
      ])
    })
  },
)

describe.skipIf(!kinds)('the processes of a machine', () => {
  let stack: TestStack
  let folder: string
  beforeAll(async () => {
    stack = await startServices()
    await stack.client().addStemcell({ name: 'local', os: 'local', version: '1' })
    folder = await mkdtemp(join(tmpdir(), 'remodel-field-'))
    await cp(kinds!, folder, { recursive: true, dereference: true })
  })
  afterAll(async () => {
    await stack?.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const monit = (job: string, as: string) =>
    writeFile(
      join(folder, `release/jobs/${job}/monit`),
      `check process ${job} pidfile /var/vcap/sys/run/${job}/${job}.pid
  start program "/var/vcap/jobs/${job}/bin/ctl start"${as}
  stop program "/var/vcap/jobs/${job}/bin/ctl stop"
`,
    )

  test('are those of all of its monit files, each run as the user that its file says', async () => {
    await monit('match', '')
    // The start program makes its folder itself, which only a user may do whom the folder above belongs to.
    await monit('asuid', ' as uid "root" and gid "daemon"')
    const field = await FieldDeploys.open(stack.client(), folder)
    expect(await field.deploy('manifest.yml')).toBe('done')
    const [instance] = await stack.client().instances('kinds')
    expect(instance?.processes.map(({ name, state }) => [name, state]).sort()).toEqual(
      ['asuid', 'extra', 'http', 'match', 'more'].map((name) => [name, 'running']),
    )
    const groupOf = async (job: string) => {
      const script = `stat -c %G /proc/$(cat /var/vcap/sys/run/${job}/${job}.pid)`
      return (await stack.client().exec('kinds', 'web/0', { argv: ['/bin/sh', '-c', script] })).stdout.trim()
    }
    expect([await groupOf('asuid'), await groupOf('http')]).toEqual(['daemon', 'root'])
  }, 150_000)

  test('are not started where one of them is to run as a user that is not there', async () => {
    await monit('asuid', ' as uid "no-such-user"')
    const field = await FieldDeploys.open(stack.client(), folder)
    expect(await field.deploy('manifest.yml')).toBe('failed')
    const failed = (await stack.client().events('kinds', {})).filter(({ type }) => type === 'remodel.failed')
    expect(JSON.stringify(failed)).toContain(
      'process asuid runs as user no-such-user, which this machine does not have',
    )
  }, 150_000)
})
