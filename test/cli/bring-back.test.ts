import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readUpFile } from '../../cli/stack/up-file.ts'
import { type Ran, remodel, temporaryFolder } from './remodel.ts'
import { files, manifest, release, up, upWithCloud, writeInto } from './site.ts'

const ctl = ['--', '/bin/sh', '-c']

/** One stack for all tests of this file, which tell one story in order. */
describe('what ended with the computer', { timeout: 120_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  const run = (...args: string[]): Promise<Ran> =>
    remodel(args, { cwd: folder.path, env: { REMODEL_HOME: folder.in('home') } })
  const say = async (instance: string, line: string) => (await run('exec', 'site', instance, ...ctl, line)).stdout
  const states = async () =>
    (JSON.parse((await run('instances', 'site', '--json')).stdout) as { state: string }[]).map(({ state }) => state)
  const versions = async () => JSON.parse((await run('versions', 'site', '--json')).stdout) as { message: string }[]
  const now = async () => (await run('deployments')).stdout.split('\n')[1]
  const plans = async () => JSON.parse((await run('tasks', '--json')).stdout) as unknown[]

  beforeAll(async () => {
    folder = await temporaryFolder()
    await writeInto(folder, { ...files('127.93.9'), 'web.yml': manifest('one', { disk: true }), ...release('hello') })
    await upWithCloud(run)
    expect(await run('deploy', 'web.yml', '-y')).toMatchObject({ code: 0 })
    await say('web/0', 'echo kept > /var/vcap/store/mark')
  }, 120_000)

  afterAll(async () => {
    await run('delete', 'site', '-y', '--wait-lock', '60')
    await run('down')
    await folder[Symbol.asyncDispose]()
  }, 90_000)

  /** Everything at once, as when the power fails. */
  async function powerFails(): Promise<void> {
    const { supervisor, processes } = (await readUpFile(folder.in('home')))!
    for (const { pid } of [supervisor, ...processes]) process.kill(pid, 'SIGKILL')
    await machinesDie()
  }

  async function machinesDie(): Promise<void> {
    const vms = folder.in('home', 'machines', 'vms')
    for (const id of await readdir(vms)) {
      const pid = Number((await readFile(`${vms}/${id}/pid`, 'utf8')).split(' ')[0])
      process.kill(pid, 'SIGKILL')
    }
  }

  test('is made anew by `up`, with its disks, and no order is added', async () => {
    const before = await versions()
    await powerFails()
    expect(await run(...up)).toMatchObject({ code: 0 })
    await expect.poll(states, { timeout: 60_000 }).toEqual(['running', 'running'])
    await expect
      .poll(() => say('web/0', 'cat /var/vcap/jobs/web/bin/greeting /var/vcap/store/mark'))
      .toBe('hello one\nkept\n')
    expect((await versions()).length).toBe(before.length)
    expect((await versions())[0]!.message).toBe('up: makes anew what is gone')
  })

  test('is left alone where everything is as it was recorded', async () => {
    const before = await plans()
    expect(await now()).toMatch(/^site +deployment +as recorded/)
    expect(await run('bring-back')).toEqual({
      code: 0,
      stdout: 'Every deployment is as it was recorded.\n',
      stderr: '',
    })
    expect(await plans()).toEqual(before)
  })

  test('is made anew by `bring-back` under a running stack, and said', async () => {
    await machinesDie()
    expect(await now()).toMatch(/^site +deployment +instance\/web\/[01] .*, \d+ more/)
    expect((await run('deployments', '--no-look')).stdout).not.toMatch(/more|as recorded/)
    const back = await run('bring-back', 'site')
    expect(back).toMatchObject({ code: 0, stderr: '' })
    expect(back.stdout).toMatch(/^site is not as it was recorded \(.*\): plan \S+ brings it back\nsite is back after /)
    expect(await states()).toEqual(['running', 'running'])
  })

  test('waits for a person where its last deploy did not end well', async () => {
    await writeInto(folder, { 'fails.yml': manifest('two', { fail: true, disk: true }) })
    expect(await run('deploy', 'fails.yml', '-y')).toMatchObject({ code: 1 })
    await machinesDie()
    const back = await run('bring-back')
    expect(back.code).toBe(1)
    expect(back.stdout).toMatch(/its last plan, \S+, is failed: deploy it again, or roll it back/)
    expect(await run('rollback', 'site', '-y')).toMatchObject({ code: 0 })
    expect(await say('web/0', 'cat /var/vcap/jobs/web/bin/greeting')).toBe('hello one\n')
  })

  test('is not brought back where its removal was cancelled in the middle', async () => {
    await writeInto(folder, { 'slow.yml': manifest('three', { disk: true, drain: 30 }) })
    expect(await run('deploy', 'slow.yml', '-y')).toMatchObject({ code: 0 })
    const removing = run('delete', 'site', '-y')
    await expect.poll(async () => (await run('tasks')).stdout, { timeout: 30_000 }).toMatch(/running/)
    const [{ id }] = JSON.parse((await run('tasks', '--json')).stdout)
    expect(await run('cancel', id)).toMatchObject({ code: 0 })
    expect((await removing).code).toBe(1)
    await machinesDie()
    const back = await run('bring-back')
    expect(back).toMatchObject({ code: 1, stdout: expect.stringContaining(`its last plan, ${id}, is cancelled`) })
    expect((await states()).includes('running')).toBe(false)
  })

  test('is asked for by a name that nothing has: a wrong use', async () => {
    expect(await run('bring-back', 'site', 'shop')).toMatchObject({ code: 2, stdout: '' })
  })
})
