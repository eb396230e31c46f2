import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ran, remodel, temporaryFolder } from './remodel.ts'
import { files, manifest, release, upWithCloud, writeInto } from './site.ts'

/** One stack for all tests of this file, which tell one story in order. */
describe('what is asked of instances', { timeout: 90_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  const run = (...args: string[]): Promise<Ran> =>
    remodel(args, { cwd: folder.path, env: { REMODEL_HOME: folder.in('home') } })
  const states = async () => (await run('instances', 'site')).stdout.match(/running, ignored|running|stopped/g)

  beforeAll(async () => {
    folder = await temporaryFolder()
    await writeInto(folder, { ...files('127.93.15'), 'web.yml': manifest('one'), ...release('hello') })
    await upWithCloud(run)
    expect(await run('deploy', 'web.yml', '-y')).toMatchObject({ code: 0 })
  }, 90_000)

  afterAll(async () => {
    await run('unignore', 'site', '-y')
    await run('delete', 'site', '-y', '--wait-lock', '60')
    await run('down')
    await folder[Symbol.asyncDispose]()
  }, 90_000)

  test('stop says what it does and ends with that, and a deploy leaves it', async () => {
    const { code, stdout } = await run('stop', 'site', '-y', '--max-in-flight', '50%')
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/as stopped {2}stop asked\n/) })
    expect(stdout).toMatch(/Done in .* Stopped, until they are started again\.\n$/)
    expect(await states()).toEqual(['stopped', 'stopped'])
    expect((await run('instances', 'site', '--failing')).stdout).toBe('No instances.\n')
    expect((await run('deploy', 'web.yml', '-y')).stdout).toMatch(/No changes[\s\S]*is stopped: it is left as it is/)
  })

  test('start brings it up, and is asked for again in vain', async () => {
    expect(await run('start', 'site', '-y')).toMatchObject({ code: 0, stdout: expect.stringMatching(/They run\.\n$/) })
    expect(await states()).toEqual(['running', 'running'])
    expect((await run('start', 'site', '-y')).stdout).toBe('No changes. site stands as written.\n')
  })

  test('ignore keeps everything away from it, also its removal', async () => {
    expect(await run('ignore', 'site', '-y')).toMatchObject({ code: 0 })
    expect(await states()).toEqual(['running, ignored', 'running, ignored'])
    expect(await run('delete', 'site', '-y')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/unignore first/),
    })
    expect((await run('restart', 'site', '-y')).stdout).toMatch(/No changes[\s\S]*is ignored/)
  })

  test('refuses what there is not, with the nearest name, and options that are for others', async () => {
    const refused = async (...args: string[]) => {
      const { code, stderr } = await run(...args, '-y')
      expect(code).toBe(2)
      return stderr
    }
    expect(await refused('stop', 'site', 'web/9')).toMatch(/no instance and no group web\/9/)
    expect(await refused('stop', 'sita')).toMatch(/site/)
    expect(await refused('restart', 'site', '--switch-over')).toMatch(/switchOver: unknown key/)
    expect(await refused('ignore', 'site', '--skip-drain')).toMatch(/unknown option '--skip-drain'/)
  })
})
