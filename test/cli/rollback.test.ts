import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ran, remodel, temporaryFolder } from './remodel.ts'
import { files, manifest, release, upWithCloud, writeInto } from './site.ts'

/** One stack for all tests of this file, which tell one story in order. */
describe('an order that a deployment was deployed by', { timeout: 90_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  const run = (...args: string[]): Promise<Ran> =>
    remodel(args, { cwd: folder.path, env: { REMODEL_HOME: folder.in('home') } })
  const write = (some: Record<string, string>) => writeInto(folder, some)
  const said = async () => (await run('exec', 'site', 'web/0', '--', 'cat', '/var/vcap/jobs/web/bin/greeting')).stdout
  const versions = async () =>
    (JSON.parse((await run('versions', 'site', '--json')).stdout) as { version: number; message: string }[]).map(
      ({ version, message }) => [version, message],
    )

  beforeAll(async () => {
    folder = await temporaryFolder()
    await write({ ...files('127.93.8'), 'web.yml': manifest('one'), ...release('hello') })
    await upWithCloud(run)
  }, 90_000)

  afterAll(async () => {
    await run('delete', 'site', '-y', '--wait-lock', '60')
    await run('down')
    await folder[Symbol.asyncDispose]()
  }, 90_000)

  test('is kept of each deploy, and of none that was only planned', async () => {
    expect(await run('versions', 'site')).toMatchObject({ code: 2 })
    expect((await run('plan', 'web.yml')).code).toBe(3)
    expect(await run('versions', 'site')).toMatchObject({ code: 2 })
    expect(await run('deploy', 'web.yml', '-y')).toMatchObject({ code: 0 })
    expect(await run('rollback', 'site', '-y')).toMatchObject({ code: 1 })
    await write({ 'web.yml': manifest('two'), ...release('good day') })
    expect(await run('deploy', 'web.yml', '-y')).toMatchObject({ code: 0 })
    expect(await said()).toBe('good day two\n')
    expect(await versions()).toEqual([
      [2, 'deploy web.yml -y'],
      [1, 'deploy web.yml -y'],
    ])
    expect((await run('versions', 'site')).stdout).toMatch(/Version .*Message *\n2 .*\n1 /)
  })

  test('is printed as it was written, and compared line by line', async () => {
    expect((await run('manifest', 'site')).stdout).toBe(manifest('two'))
    expect((await run('manifest', 'site', '--version', '1')).stdout).toBe(manifest('one'))
    const lines = (await run('diff', 'site')).stdout.split('\n').filter((line) => /^[-+]/.test(line))
    expect(lines).toEqual([expect.stringMatching(/^-.*one/), expect.stringMatching(/^\+.*two/)])
    expect((await run('diff', 'site', '--from', '2')).stdout).toMatch(/^The manifests of versions 2 and 2/)
    expect(await run('manifest', 'site', '--version', '7')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('versions 1 to 2'),
    })
  })

  test('comes back with the releases that it meant then, and nothing is compiled', async () => {
    await write({ 'fails.yml': manifest('three', { fail: true }) })
    expect(await run('deploy', 'fails.yml', '-y')).toMatchObject({ code: 1 })
    expect((await versions())[0]).toEqual([3, 'deploy fails.yml -y'])
    const back = await run('rollback', 'site', '-y')
    expect(back).toMatchObject({ code: 0, stderr: '' })
    expect(back.stdout.split('\n').filter((line) => /compiling|compile package|canar/.test(line))).toEqual([])
    expect(await said()).toBe('good day two\n')
    const newer = ['upload-stemcell', '--light', '--name', 'host', '--os', 'debian', '--version', '13']
    expect(await run(...newer)).toMatchObject({ code: 0 })
    const first = await run('rollback', 'site', '--to', '1', '-y')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(/stemcell default.* 12\b/)
    expect(await said()).toBe('hello one\n')
    expect((await versions())[0]).toEqual([5, 'rollback site --to 1 -y'])
    expect((await run('rollback', 'site', '--to', '1', '-y')).stdout).toMatch(/^No changes/)
  })

  test('outlives the deployment', async () => {
    expect(await run('delete', 'site', '-y')).toMatchObject({ code: 0 })
    expect(await run('clean-up')).toMatchObject({ code: 0 })
    expect(await run('rollback', 'site', '-y')).toMatchObject({ code: 0 })
    expect(await said()).toBe('hello one\n')
  })
})
