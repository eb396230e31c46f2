import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PlanView } from '../../shared/api/schemas/plan.ts'
import { Plan } from '../../shared/model/plan.ts'
import { type Ran, remodel, temporaryFolder } from './remodel.ts'
import { idleJob, upWithCloud, writeInto } from './site.ts'

/** One stack for all tests of this file, which tell one story in order. */
describe('a deployment, from the command line', { timeout: 90_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  const run = (...args: string[]): Promise<Ran> =>
    remodel(args, { cwd: folder.path, env: { REMODEL_HOME: folder.in('home') } })

  beforeAll(async () => {
    folder = await temporaryFolder()
    await writeInto(folder, files)
    await upWithCloud(run)
  }, 90_000)

  afterAll(async () => {
    await run('delete', 'clitest', '-y', '--wait-lock', '60')
    await run('down')
    await folder[Symbol.asyncDispose]()
  }, 90_000)

  test('is planned with its releases uploaded: exit code 3, a document of the plan schema, and a graph', async () => {
    const planned = await run('plan', 'good.yml', '--json')
    expect(planned.code).toBe(3)
    expect(Plan.parse(JSON.parse(planned.stdout)).remodels.length).toBeGreaterThan(0)
    expect((await run('plan', 'good.yml')).stdout).toMatch(/^\d+ changes: \d+ to create/)
    expect((await run('plan', 'good.yml', '--graph')).stdout).toMatch(/^flowchart/)
    expect(JSON.parse((await run('releases', '--json')).stdout)).toMatchObject([{ name: 'clitest' }])
  })

  test('is planned, reviewed and applied exactly so, once', async () => {
    expect((await run('plan', 'good.yml', '--out', 'saved.plan')).code).toBe(3)
    const applied = await run('apply', 'saved.plan')
    expect(applied).toMatchObject({ code: 0, stderr: '' })
    expect(applied.stdout).toMatch(/\d\d:\d\d:\d\d {2}start instance web\/0: done \(/)
    expect(applied.stdout).toMatch(/Done in .*\. clitest stands as written\.\n$/)
    expect(await run('apply', 'saved.plan')).toMatchObject({ code: 1 })
  })

  test('shows the deploy and not a plan that was only looked at afterwards; why tells that nothing is open', async () => {
    const last = async () => JSON.parse((await run('deployments', '--json')).stdout)[0].lastPlan
    const { id, state } = await last()
    expect(state).toBe('done')
    await run('plan', 'good.yml', '--recreate')
    expect(await last()).toMatchObject({ id, state })
    expect((await run('deployments')).stdout).toMatch(/Last deploy.*\n.*done/)
    expect(await run('why', id)).toMatchObject({ code: 0, stdout: `Every step of plan ${id} is done.\n` })
    expect((await run('why', id, 'start-instance', 'web/9')).stderr).toMatch(/has no step start-instance web\/9/)
  })

  test('that stands as written has no changes: exit code 0', async () => {
    expect(await run('plan', 'good.yml')).toMatchObject({ code: 0, stdout: 'No changes. clitest stands as written.\n' })
    expect(await run('deploy', 'good.yml', '-y')).toMatchObject({ code: 0 })
  })

  test('can be looked at, and commands on its instances pass their exit codes through', async () => {
    expect(JSON.parse((await run('instances', 'clitest', '--json')).stdout)).toMatchObject([
      { instance: 'web/0', state: 'running' },
    ])
    expect(await run('exec', 'clitest', 'web/0', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7')).toEqual({
      code: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect((await run('logs', 'clitest', 'web/0')).stdout).toContain('preparing')
    const [task] = JSON.parse((await run('tasks', '-d', 'clitest', '--json')).stdout)
    expect(PlanView.parse(JSON.parse((await run('task', task.id, '--json')).stdout)).plan.id).toBe(task.id)
  })

  test('that fails says so with the end of the log right there, and ends with 1', async () => {
    const failed = await run('deploy', 'bad.yml', '-y')
    expect(failed.code).toBe(1)
    expect(failed.stdout).toMatch(/start instance web\/0: failed: .*\n(.*\| .*\n)*.*\| no such database\n/)
    expect(failed.stdout).toContain('\nFailed in ')
  })

  test('writes with --json one event a line and the result last', async () => {
    const lines = (await run('deploy', 'good.yml', '-y', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const sequence = lines.slice(0, -1).map((event) => event.seq)
    expect(sequence).toEqual([...sequence].sort((a, b) => a - b))
    expect(lines[0]).toMatchObject({ type: 'plan.started' })
    expect(lines.at(-2)).toMatchObject({ type: 'plan.done' })
    expect(lines.at(-1)).toMatchObject({ type: 'result', result: 'done', status: { state: 'done' } })
    const after = (await run('events', 'clitest', '--after', String(sequence.at(-2)), '--json')).stdout
    expect(JSON.parse(after)).toMatchObject({ type: 'plan.done' })
  })

  test('keeps its data from being purged while it stands, and then is gone', async () => {
    const purge = await run('down', '--purge')
    expect(purge).toMatchObject({ code: 1 })
    expect(purge.stderr).toContain('clitest still has machines or disks')
    expect((await run('delete', 'clitest', '-y')).stdout).toMatch(/clitest is gone\.\n$/)
    expect(JSON.parse((await run('deployments', '--json')).stdout)).toEqual([])
    expect(await run('down', '--purge')).toMatchObject({ code: 0 })
  })
})

const manifest = (properties: string) => `name: clitest
releases: [{name: clitest, version: create, url: "file:release"}]
stemcells: [{alias: default, os: debian, version: latest}]
update: {canaries: 1, max_in_flight: 1, canary_watch_time: 100-20000, update_watch_time: 100-20000}
instance_groups:
- name: web
  instances: 1
  azs: [z1]
  vm_type: small
  stemcell: default
  networks: [{name: default}]
  jobs: [{name: web, release: clitest, properties: ${properties}}]
`

const files = {
  'good.yml': manifest('{}'),
  'bad.yml': manifest('{fail: true}'),
  'cloud.yml': `azs: [{name: z1}]
vm_types: [{name: small}]
networks: [{name: default, type: manual, subnets: [{range: 127.93.7.0/24, azs: [z1], gateway: 127.93.7.1}]}]
compilation: {workers: 1, reuse_compilation_vms: true, az: z1, vm_type: small, network: default}
`,
  'release/config/final.yml': 'name: clitest\n',
  'release/jobs/web/spec':
    'name: web\ntemplates: {ctl.erb: bin/ctl, pre-start.erb: bin/pre-start}\npackages: []\nproperties: {fail: {description: fail, default: false}}\n',
  ...idleJob,
  'release/jobs/web/templates/pre-start.erb': `#!/bin/sh
echo preparing
<% if p('fail') %>echo "no such database" >&2; exit 1<% end %>
`,
}
